// Package kubernetes stands in for the provider's generated Go SDK (66 packages, 26 MB), of which the
// provider itself uses three names: this type, yaml/v2.RegisterResource and two structs of helm/v4.
package kubernetes

import "reflect"

// UntypedArgs is a Kubernetes object as the inputs of a resource.
type UntypedArgs map[string]any

// ElementType makes UntypedArgs a pulumi.Input.
func (UntypedArgs) ElementType() reflect.Type { return reflect.TypeFor[map[string]any]() }
