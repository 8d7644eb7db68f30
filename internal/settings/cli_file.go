// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package settings

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"
)

// cliFile is the configuration file of the official CLI.
type cliFile struct {
	url       string
	token     string
	sslVerify *bool
	timeout   *float64 // seconds

	name string // for messages, even if the file does not exist
	err  error  // why it cannot be used, without its content
}

const cliFileName = "config.yaml"

// readCLIFile reads $QUALYTICS_CONFIG_HOME/config.yaml, else
// ~/.qualytics/config.yaml. A file that does not exist is empty.
func readCLIFile(env Environment) cliFile {
	name, shown := "", "~/.qualytics/"+cliFileName
	if dir, ok := env.LookupEnv(EnvConfigHome); ok && dir != "" {
		name = filepath.Join(dir, cliFileName)
		shown = name
	} else if home, err := env.HomeDir(); err == nil && home != "" {
		name = filepath.Join(home, ".qualytics", cliFileName)
	}
	if name == "" {
		return cliFile{name: shown}
	}
	text, err := os.ReadFile(name) // #nosec G304 -- the path that the official CLI documents.
	if errors.Is(err, fs.ErrNotExist) {
		return cliFile{name: shown}
	}
	if err != nil {
		return cliFile{name: shown, err: fmt.Errorf("%s cannot be read", shown)}
	}
	file, err := parseCLIFile(text, env.LookupEnv)
	file.name = shown
	if err != nil {
		file.err = fmt.Errorf("%s: %w", shown, err)
	}
	return file
}

// reference matches ${VAR} in a value of the file.
var reference = regexp.MustCompile(`\$\{([A-Za-z_][A-Za-z0-9_]*)\}`)

// parseCLIFile decodes the file. Its errors contain no value.
func parseCLIFile(text []byte, lookup func(string) (string, bool)) (cliFile, error) {
	var raw map[string]any
	if err := yaml.Unmarshal(text, &raw); err != nil {
		return cliFile{}, errors.New("it is not valid YAML")
	}
	var unset []string
	value := func(key string) string {
		if raw[key] == nil {
			return ""
		}
		return strings.TrimSpace(reference.ReplaceAllStringFunc(fmt.Sprint(raw[key]), func(m string) string {
			name := reference.FindStringSubmatch(m)[1]
			v, ok := lookup(name)
			if !ok {
				unset = append(unset, name)
			}
			return v
		}))
	}
	file := cliFile{url: value("url"), token: value("token")}
	if text := value("ssl_verify"); text != "" {
		verify, err := parseBool(text)
		if err != nil {
			return cliFile{}, errors.New("ssl_verify must be true or false")
		}
		file.sslVerify = &verify
	}
	if text := value("timeout"); text != "" {
		seconds, err := parseSeconds(text)
		if err != nil {
			return cliFile{}, errors.New("timeout must be a number of seconds")
		}
		file.timeout = &seconds
	}
	if len(unset) > 0 {
		return cliFile{}, fmt.Errorf("it refers to the environment variable %s, which is not set", unset[0])
	}
	return file, nil
}
