// The provider by which API servers of EKS clusters encrypt with a key of KMS. What it has in common with
// Kubernetes 1.36 is of the very version that it has (components/kubernetes/1.36.mod): so it is compiled once.
module longshore/components/kms-plugin

go 1.26.6

godebug default=go1.26

require (
	github.com/aws/aws-sdk-go-v2 v1.48.0
	k8s.io/kms v0.36.3
)

require (
	github.com/aws/smithy-go v1.28.9 // indirect
	golang.org/x/net v0.49.0 // indirect
	golang.org/x/sys v0.40.0 // indirect
	golang.org/x/text v0.33.0 // indirect
	google.golang.org/genproto/googleapis/rpc v0.0.0-20260128011058-8636f8732409 // indirect
	google.golang.org/grpc v1.79.3 // indirect
	google.golang.org/protobuf v1.36.12-0.20260120151049-f2248ac996af // indirect
)
