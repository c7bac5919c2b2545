package ui

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"mime"
	"net/http"
	"path"
)

//go:embed static
var staticFiles embed.FS

const assetPath = "/assets/"

// asset is a file that pages need, as it is sent.
type asset struct {
	hash, kind  string
	plain, gzip []byte
}

// assets are the files of static, by name. Their URLs have their contents' hash, so that browsers keep them for good.
type assets map[string]asset

func loadAssets() (assets, error) {
	all := assets{}
	err := fs.WalkDir(staticFiles, "static", func(file string, entry fs.DirEntry, err error) error {
		kind := mime.TypeByExtension(path.Ext(file))
		if err != nil || entry.IsDir() || path.Ext(file) == ".txt" {
			return err
		}
		text, err := staticFiles.ReadFile(file)
		if err != nil {
			return err
		}
		switch path.Ext(file) { // whatever the system's table says
		case ".js":
			kind = "text/javascript; charset=utf-8"
		case ".css":
			kind = "text/css; charset=utf-8"
		case ".svg":
			kind = "image/svg+xml"
		}
		sum := sha256.Sum256(text)
		var packed bytes.Buffer
		z, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
		if err != nil {
			return err
		}
		if _, err := z.Write(text); err != nil {
			return err
		}
		if err := z.Close(); err != nil {
			return err
		}
		all[path.Base(file)] = asset{hash: hex.EncodeToString(sum[:6]), kind: kind, plain: text, gzip: packed.Bytes()}
		return nil
	})
	return all, err
}

// url is where a file is, with its hash.
func (a assets) url(name string) (string, error) {
	found, ok := a[name]
	if !ok {
		return "", fmt.Errorf("there is no file %q", name)
	}
	return assetPath + found.hash + "/" + name, nil
}

// serve sends a file.
func (a assets) serve(w http.ResponseWriter, r *http.Request) {
	found, ok := a[r.PathValue("name")]
	if !ok || found.hash != r.PathValue("hash") {
		http.Error(w, "There is no such file.", http.StatusNotFound)
		return
	}
	h := w.Header()
	h.Set("Content-Type", found.kind)
	h.Set("Cache-Control", "public, max-age=31536000, immutable")
	h.Set("Vary", "Accept-Encoding")
	body := found.plain
	if takesGzip(r) {
		h.Set("Content-Encoding", "gzip")
		body = found.gzip
	}
	_, _ = w.Write(body) // a browser that went away is no error
}
