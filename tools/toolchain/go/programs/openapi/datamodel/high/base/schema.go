// Package base has the fields of a schema that `pulumi api` shows.
package base

import (
	"github.com/pb33f/libopenapi/orderedmap"
	"go.yaml.in/yaml/v4"
)

// Schema describes a value.
type Schema struct {
	Type                         []string
	Format, Pattern, Description string
	AllOf, OneOf, AnyOf          []*SchemaProxy
	Discriminator                *Discriminator
	Properties                   *orderedmap.Map[string, *SchemaProxy]
	AdditionalProperties, Items  *SchemaOrBool
	Required                     []string
	ReadOnly, Nullable           *bool
	MinLength, MaxLength         *int64
	Minimum, Maximum, MultipleOf *float64
	Default                      *yaml.Node
	Enum                         []*yaml.Node
	Extensions                   *orderedmap.Map[string, *yaml.Node]
}

// Discriminator names the property that tells the variants of a schema apart.
type Discriminator struct {
	PropertyName string
	Mapping      *orderedmap.Map[string, string]
}

// SchemaOrBool is a schema (A) or a boolean.
type SchemaOrBool struct{ A *SchemaProxy }

// SchemaProxy is a reference to a schema.
type SchemaProxy struct{}

// Source is the text that a schema was read from.
type Source struct{}

// GoLow returns no source.
func (*Schema) GoLow() *Source { return nil }

// MarshalJSONInline has nothing to write.
func (*Schema) MarshalJSONInline() ([]byte, error) { return nil, nil }

// IsA returns whether it is a schema.
func (value *SchemaOrBool) IsA() bool { return value.A != nil }

// Schema returns no schema.
func (*SchemaProxy) Schema() *Schema { return nil }

// Hash is that of no text.
func (*Source) Hash() uint64 { return 0 }
