// Object store of the local cluster: one bucket with Cloud Storage's JSON API, whose objects are files of a folder.
//
// fake-gcs-server appends an object's name to its folder without a check. A name with ".." would be any file of
// this machine, written as root. So the folder becomes the root of this process's file system before it serves.
package main

import (
	"flag"
	"io/fs"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/fsouza/fake-gcs-server/fakestorage"
)

// Suffix of the file with an object's attributes, where the file system has no extended attributes.
const attributes = ".metadata"

func main() {
	listen := flag.String("listen", "", "address and port")
	folder := flag.String("folder", "", "existing folder of the objects")
	bucket := flag.String("bucket", "", "name of the bucket")
	flag.Parse()
	listener, err := net.Listen("tcp", *listen)
	fail(err)
	fail(syscall.Chroot(*folder))
	fail(os.Chdir("/"))
	root := "/" + *bucket
	fail(os.MkdirAll(root, 0o700))
	// With NoListener it makes only the handler; Writer gets one line for each request.
	server, err := fakestorage.NewServerWithOptions(fakestorage.Options{
		StorageRoot: "/", NoListener: true, Writer: os.Stderr,
	})
	fail(err)
	fail(removePartial(server, *bucket, root))
	fail(http.Serve(listener, server.HTTPHandler()))
}

// removePartial removes the files without attributes that a killed process left: each fails every listing.
func removePartial(server *fakestorage.Server, bucket, root string) error {
	return filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || describes(path) {
			return err
		}
		name := strings.TrimPrefix(path, root+"/")
		if _, err := server.GetObjectStreaming(bucket, name); err == nil {
			return nil
		}
		log.Printf("removing %s: its upload did not end", name)
		return os.Remove(path)
	})
}

// describes returns whether the file has the attributes of an object beside it.
func describes(path string) bool {
	object, found := strings.CutSuffix(path, attributes)
	if !found {
		return false
	}
	_, err := os.Stat(object)
	return err == nil
}

func fail(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
