// Package libopenapi stands in for the module of that name, which takes a fifth of the CLI's build and serves
// only `pulumi api`: it declares the names that this command uses, and reads no document.
package libopenapi

import (
	"errors"

	v3 "github.com/pb33f/libopenapi/datamodel/high/v3"
)

// Document is what NewDocument would return.
type Document struct{}

// Model is a document of OpenAPI 3.
type Model struct{ Model v3.Document }

// NewDocument returns an error that says what to use instead.
func NewDocument([]byte) (*Document, error) {
	return nil, errors.New("this build of the CLI cannot read the description of Pulumi Cloud's API: " +
		"use Pulumi's own release of the CLI for `pulumi api`")
}

// BuildV3Model has no document to return.
func (*Document) BuildV3Model() (*Model, error) { return nil, nil }
