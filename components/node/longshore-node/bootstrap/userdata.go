package bootstrap

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/mail"
	"regexp"
	"strings"
)

const (
	nodeConfigType = "application/node.eks.aws"
	largestPart    = 1 << 20
)

// aloneNodeConfig tells a NodeConfig from a script, where user data is no multipart.
var aloneNodeConfig = regexp.MustCompile(`(?m)^["']?apiVersion["']?:\s*["']?node\.eks\.aws/|^\s*\{\s*"apiVersion":\s*"node\.eks\.aws/`)

// nodeConfigs are the NodeConfigs of user data, in their order: it is one itself, or multipart MIME
// that has some ("Customizing managed nodes with launch templates", EKS User Guide). Anything else
// in it is somebody else's.
func nodeConfigs(data []byte) ([]NodeConfig, error) {
	data, err := unzipped(data)
	if err != nil {
		return nil, err
	}
	if message, err := mail.ReadMessage(bytes.NewReader(data)); err == nil && message.Header.Get("Content-Type") != "" {
		return configsOf(message.Header.Get("Content-Type"), message.Header.Get("Content-Transfer-Encoding"), message.Body)
	}
	if bytes.HasPrefix(data, []byte("#!")) || !aloneNodeConfig.Match(data) {
		// A script, or nothing.
		return nil, nil
	}
	config, err := parseNodeConfig(data)
	return []NodeConfig{config}, err
}

func configsOf(contentType, encoding string, body io.Reader) ([]NodeConfig, error) {
	kind, parameters, err := mime.ParseMediaType(contentType)
	if err != nil {
		return nil, nil
	}
	switch {
	case strings.HasPrefix(kind, "multipart/"):
		return configsOfParts(multipart.NewReader(body, parameters["boundary"]))
	case kind == nodeConfigType:
		text, err := decoded(encoding, body)
		if err != nil {
			return nil, err
		}
		config, err := parseNodeConfig(text)
		return []NodeConfig{config}, err
	}
	return nil, nil
}

func configsOfParts(parts *multipart.Reader) ([]NodeConfig, error) {
	var all []NodeConfig
	for {
		part, err := parts.NextRawPart()
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return nil, fmt.Errorf("user data is no whole multipart document: %w", err)
		}
		found, err := configsOf(part.Header.Get("Content-Type"), part.Header.Get("Content-Transfer-Encoding"), part)
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
}

func decoded(encoding string, body io.Reader) ([]byte, error) {
	if strings.EqualFold(encoding, "base64") {
		body = base64.NewDecoder(base64.StdEncoding, body)
	}
	text, err := io.ReadAll(io.LimitReader(body, largestPart))
	if err != nil {
		return nil, fmt.Errorf("user data has a NodeConfig that cannot be read: %w", err)
	}
	return unzipped(text)
}

// unzipped is the text itself, or what is in it where it is a gzip file.
func unzipped(text []byte) ([]byte, error) {
	if !bytes.HasPrefix(text, []byte{0x1f, 0x8b}) {
		return text, nil
	}
	reader, err := gzip.NewReader(bytes.NewReader(text))
	if err != nil {
		return nil, fmt.Errorf("user data is no whole gzip file: %w", err)
	}
	text, err = io.ReadAll(io.LimitReader(reader, largestPart))
	if err != nil {
		return nil, fmt.Errorf("user data is no whole gzip file: %w", err)
	}
	return text, nil
}
