package api

import (
	"context"
	"net/http"
)

// health is the answer of a server that is well.
type health struct {
	Status  string `json:"status" doc:"ok"`
	Version string `json:"version" doc:"Of Postroom."`
}

func (a *api) routeSystem(rt *router) {
	register(rt, operation{
		ID: "get-health", Method: http.MethodGet, Path: "/healthz", Tag: "System",
		Summary:     "Is the server alive?",
		Description: "Answers 200 as long as the process runs. No key is needed.",
		Answer:      `{"status":"ok","version":"1.0.0"}`,
	}, a.health)
	register(rt, operation{
		ID: "get-readiness", Method: http.MethodGet, Path: "/readyz", Tag: "System",
		Summary:     "Can the server store?",
		Description: "Answers 200 if events can be stored at present, else 503. No key is needed.",
		Answer:      `{"status":"ok","version":"1.0.0"}`,
	}, a.readiness)
}

func (a *api) health(context.Context, *call, *struct{}) (*answer[health], error) {
	return &answer[health]{health{"ok", a.Version}}, nil
}

func (a *api) readiness(ctx context.Context, _ *call, _ *struct{}) (*answer[health], error) {
	if err := a.Ready(ctx); err != nil {
		return nil, err
	}
	return &answer[health]{health{"ok", a.Version}}, nil
}
