// Package v2 registers the objects that ConfigFile, ConfigGroup and Chart read as resources.
package v2

import (
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// object is any Kubernetes object as a resource. A component reads only its children's URNs.
type object struct{ pulumi.CustomResourceState }

// RegisterResource registers a Kubernetes object under the type token that the generated SDK gives its kind:
// "kubernetes:<group>/<version>:<Kind>", with "core" as the group of apiVersion "v1".
func RegisterResource(ctx *pulumi.Context, apiVersion, kind, name string, props pulumi.Input,
	opts ...pulumi.ResourceOption) (pulumi.CustomResource, error) {
	group := apiVersion
	if !strings.Contains(apiVersion, "/") {
		group = "core/" + apiVersion
	}
	var registered object
	if err := ctx.RegisterResource("kubernetes:"+group+":"+kind, name, props, &registered, opts...); err != nil {
		return nil, err
	}
	return &registered, nil
}
