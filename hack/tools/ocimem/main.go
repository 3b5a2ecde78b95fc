// SPDX-License-Identifier: Apache-2.0

// ocimem serves the registry in memory of cuelabs.dev/go/oci/ociregistry on a loopback port: the one
// real registry of the tests with the referrers API. Its flags switch on what other registries do.
package main

import (
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"

	"cuelabs.dev/go/oci/ociregistry"
	"cuelabs.dev/go/oci/ociregistry/ocimem"
	"cuelabs.dev/go/oci/ociregistry/ociserver"
)

func main() {
	var config ocimem.Config
	var options ociserver.Options
	flag.BoolVar(&config.ImmutableTags, "immutable-tags", false, "a tag names one manifest for good")
	flag.IntVar(&options.MaxListPageSize, "page-limit", 0, "refuse lists that are asked for with a larger n; 0 means no limit")
	flag.BoolVar(&options.OmitLinkHeaderFromResponses, "no-link", false, "send no Link header after a page of a list")
	flag.BoolVar(&options.OmitDigestFromTagGetResponse, "no-digest", false, "send no Docker-Content-Digest header with a manifest")
	flag.BoolVar(&options.DisableReferrersAPI, "no-referrers", false, "answer 404 to the referrers API")
	flag.Parse()
	options.WriteError = func(answer http.ResponseWriter, request *http.Request, err error) {
		log.Printf("%s %s: %v", request.Method, request.URL, err)
		if err := ociregistry.WriteError(answer, err); err != nil {
			log.Printf("%s %s: the answer cannot be written: %v", request.Method, request.URL, err)
		}
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("listening on %s\n", listener.Addr())
	log.Fatal(http.Serve(listener, ociserver.New(ocimem.NewWithConfig(&config), &options)))
}
