// Package v3 has the fields of an OpenAPI 3 document that `pulumi api` reads.
package v3

import (
	"github.com/pb33f/libopenapi/datamodel/high/base"
	"github.com/pb33f/libopenapi/orderedmap"
	"go.yaml.in/yaml/v4"
)

// Document describes an API.
type Document struct {
	Info       *Info
	Components Components
	Paths      *Paths
}

// Info has the version of the API.
type Info struct{ Version string }

// Components has the named schemas.
type Components struct {
	Schemas *orderedmap.Map[string, *base.SchemaProxy]
}

// Paths has the API's paths.
type Paths struct {
	PathItems *orderedmap.Map[string, *PathItem]
}

// PathItem has the operations of a path, by HTTP method.
type PathItem struct{ Get, Put, Post, Delete, Patch, Head *Operation }

// Operation is one method of a path.
type Operation struct {
	OperationId, Summary, Description string
	Tags                              []string
	Parameters                        []*Parameter
	RequestBody                       *RequestBody
	Responses                         *Responses
	Extensions                        *orderedmap.Map[string, *yaml.Node]
	Deprecated                        *bool
}

// Parameter is an input in the path, the query or a header.
type Parameter struct {
	Name, In, Description string
	Required              *bool
	Schema                *base.SchemaProxy
}

// RequestBody has the schema of each content type.
type RequestBody struct {
	Content *orderedmap.Map[string, *MediaType]
}

// Responses has the answers by status code.
type Responses struct {
	Codes   *orderedmap.Map[string, *Response]
	Default *Response
}

// Response is one answer.
type Response struct {
	Description string
	Content     *orderedmap.Map[string, *MediaType]
}

// MediaType is the schema of one content type.
type MediaType struct{ Schema *base.SchemaProxy }
