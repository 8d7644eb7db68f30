// Copyright (c) Qualytics
// SPDX-License-Identifier: MPL-2.0

package provider

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// cliFile is the configuration file of the official CLI.
type cliFile struct {
	URL       string
	Token     string
	SSLVerify *bool
	Timeout   float64 // seconds; 0: not set

	name string // for messages, even if the file does not exist
	err  error  // why it cannot be used, without its content
}

const cliFileName = "config.yaml"

// readCLIFile reads $QUALYTICS_CONFIG_HOME/config.yaml, else
// ~/.qualytics/config.yaml. A file that does not exist is empty.
func readCLIFile(env Environment) cliFile {
	name, shown := "", "~/.qualytics/"+cliFileName
	if dir, ok := env.LookupEnv(envConfigHome); ok && dir != "" {
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
	var file cliFile
	var unset []string
	value := func(key string) string {
		if raw[key] == nil {
			return ""
		}
		return reference.ReplaceAllStringFunc(fmt.Sprint(raw[key]), func(m string) string {
			name := reference.FindStringSubmatch(m)[1]
			v, ok := lookup(name)
			if !ok {
				unset = append(unset, name)
			}
			return v
		})
	}
	file.URL, file.Token = strings.TrimSpace(value("url")), strings.TrimSpace(value("token"))
	if s := value("ssl_verify"); s != "" {
		verify, err := parseBool(s)
		if err != nil {
			return cliFile{}, errors.New("ssl_verify must be true or false")
		}
		file.SSLVerify = &verify
	}
	if s := value("timeout"); s != "" {
		seconds, err := strconv.ParseFloat(s, 64)
		if err != nil || !(seconds >= minTimeoutSeconds && seconds <= maxTimeoutSeconds) { // also refuses NaN
			return cliFile{}, errors.New("timeout must be a number of seconds")
		}
		file.Timeout = seconds
	}
	if len(unset) > 0 {
		return cliFile{}, fmt.Errorf("it refers to the environment variable %s, which is not set", unset[0])
	}
	return file, nil
}
