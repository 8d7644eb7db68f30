// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/qualytics/terraform-provider-qualytics/internal/provider"
)

// start returns the size of the provider's binary in MB, and the median time in ms from
// its start until it is configured.
func (b *bench) start(ctx context.Context) (size, ms float64, err error) {
	info, err := os.Stat(b.provider() + realSuffix)
	if err != nil {
		return 0, 0, err
	}
	config, err := emptyConfig(ctx)
	if err != nil {
		return 0, 0, err
	}
	var all []float64
	for range 9 {
		took, err := b.startOnce(ctx, config)
		if err != nil {
			return 0, 0, err
		}
		all = append(all, float64(took.Microseconds())/1000)
	}
	return float64(info.Size()) / 1e6, median(all), nil
}

func (b *bench) startOnce(ctx context.Context, config []byte) (time.Duration, error) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	began := time.Now()
	cmd := exec.CommandContext(ctx, b.provider()+realSuffix) // #nosec G204 -- the provider that this program built.
	cmd.Env = append(
		os.Environ(),
		"PLUGIN_PROTOCOL_VERSIONS=6",
		// Terraform sets it for every plugin.
		"TF_PLUGIN_MAGIC_COOKIE=d602bf8f470bc67ca7faa0386276bbdd4330efaf76d1a219cb4d6991ca9872b2",
		"QUALYTICS_URL=http://127.0.0.1:1",
		"QUALYTICS_TOKEN=not-used",
	)
	out, err := cmd.StdoutPipe()
	if err != nil {
		return 0, err
	}
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	defer func() { _ = cmd.Wait() }()
	defer stop()
	line, err := bufio.NewReader(out).ReadString('\n')
	fields := strings.Split(strings.TrimSpace(line), "|") // core | protocol | network | address | kind | certificate
	if err != nil || len(fields) < 4 {
		return 0, fmt.Errorf("the provider printed %q as its handshake: %w", line, err)
	}
	conn, err := grpc.NewClient("unix://"+fields[3], grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.ForceCodec(raw{}), grpc.MaxCallRecvMsgSize(64<<20)))
	if err != nil {
		return 0, err
	}
	defer func() { _ = conn.Close() }()
	var response []byte
	for _, call := range []struct {
		method string
		in     []byte
	}{{"GetProviderSchema", nil}, {"ConfigureProvider", config}} {
		if err := conn.Invoke(ctx, "/tfplugin6.Provider/"+call.method, call.in, &response); err != nil {
			return 0, fmt.Errorf("%s: %w", call.method, err)
		}
	}
	if len(response) > 0 { // an empty message has no diagnostics
		return 0, fmt.Errorf("the provider is not configured: %q", response)
	}
	return time.Since(began), nil
}

// emptyConfig returns a ConfigureProvider request for a provider block without arguments:
// field 2 is a DynamicValue, whose field 1 is the value in MessagePack.
func emptyConfig(ctx context.Context) ([]byte, error) {
	server, err := provider.NewServer("bench", provider.Environment{})
	if err != nil {
		return nil, err
	}
	schema, err := server.GetProviderSchema(ctx, &tfprotov6.GetProviderSchemaRequest{})
	if err != nil {
		return nil, err
	}
	typ, ok := schema.Provider.ValueType().(tftypes.Object)
	if !ok {
		return nil, errors.New("the provider's configuration is not an object")
	}
	nulls := map[string]tftypes.Value{}
	for name, attribute := range typ.AttributeTypes {
		nulls[name] = tftypes.NewValue(attribute, nil)
	}
	value, err := tfprotov6.NewDynamicValue(typ, tftypes.NewValue(typ, nulls))
	if err != nil {
		return nil, err
	}
	return field(2, field(1, value.MsgPack)), nil
}

// field returns a length-delimited field of a protobuf message.
func field(number byte, content []byte) []byte {
	head := binary.AppendUvarint([]byte{number<<3 | 2}, uint64(len(content)))
	return append(head, content...)
}

// raw is a codec that does not change the messages.
type raw struct{}

func (raw) Name() string { return "proto" }

func (raw) Marshal(v any) ([]byte, error) {
	b, ok := v.([]byte)
	if !ok {
		return nil, fmt.Errorf("not bytes: %T", v)
	}
	return b, nil
}

func (raw) Unmarshal(data []byte, v any) error {
	b, ok := v.(*[]byte)
	if !ok {
		return fmt.Errorf("not bytes: %T", v)
	}
	*b = slices.Clone(data)
	return nil
}
