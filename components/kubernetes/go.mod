// Each minor version of Kubernetes is built by a module file of its own (go build -modfile).
module longshore/components/kubernetes

go 1.26.6
