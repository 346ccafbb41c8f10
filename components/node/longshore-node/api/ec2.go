package api

import (
	"context"
	"net/url"
)

// EC2 calls any operation of EC2, and reads the answer's XML into answer.
func (client *Client) EC2(ctx context.Context, operation string, parameters url.Values, answer any) error {
	return client.ec2(ctx, operation, parameters, answer)
}
