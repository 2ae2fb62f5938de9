package httpapi

import (
	"net/http"

	"stripe-connector/internal/connection"
)

// A route is one line of the table: what is asked for, who may ask, and who answers.
type route struct {
	method  string
	pattern string
	role    connection.Role
	handle  func(w http.ResponseWriter, r *http.Request, caller connection.Caller) error
}

// public routes take no token.
const public connection.Role = ""

// routeModule is where modules are run; their calls are counted one by one.
const routeModule = "/v1/modules/{module}"

func (s *server) routes() []route {
	const get, post, put, patch, del = http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete
	const run, manage, admin = connection.RoleRun, connection.RoleManage, connection.RoleAdmin
	return []route{
		{get, "/healthz", public, s.health},
		{get, "/readyz", public, s.ready},
		{get, "/metrics", public, s.scrape},

		{get, "/openapi.json", public, s.openAPI},
		{get, "/docs", public, s.pages},
		{get, "/docs/*", public, s.pages},

		{get, "/v1/modules", run, s.listModules},
		{get, "/v1/modules/{module}", run, s.getModule},
		{post, routeModule, run, s.runModule},

		{get, "/v1/lookups/event-types", run, s.lookEventTypes},
		{get, "/v1/lookups/{lookup}", run, s.look},
		{get, "/v1/event-types", run, s.listEventTypes},

		{get, "/v1/connections", manage, s.listConnections},
		{post, "/v1/connections", manage, s.createConnection},
		{get, "/v1/connections/{id}", manage, show(s.Connections.Get)},
		{patch, "/v1/connections/{id}", manage, s.updateConnection},
		{del, "/v1/connections/{id}", manage, s.deleteConnection},
		{post, "/v1/connections/{id}/check", manage, show(s.Connections.Check)},
		{post, "/v1/connections/{id}/reconcile", manage, s.reconcile},

		{get, "/v1/webhooks", manage, s.listWebhooks},
		{get, "/v1/webhooks/{id}", manage, s.getWebhook},
		{patch, "/v1/webhooks/{id}", manage, s.patchWebhook},
		{del, "/v1/webhooks/{id}", manage, s.detachWebhook},
		{post, "/v1/webhooks/{id}/pause", manage, s.turn(s.Webhooks.Pause)},
		{post, "/v1/webhooks/{id}/resume", manage, s.turn(s.Webhooks.Resume)},
		{post, "/v1/webhooks/{id}/rotate-secret", manage, s.rotateSecret},
		{post, "/v1/webhooks/{id}/roll-endpoint", manage, s.rollEndpoint},
		{post, "/v1/webhooks/{id}/test", manage, s.testWebhook},
		{post, "/v1/webhooks/{id}/replay", manage, s.replay},
		{post, "/v1/webhooks/{id}/retry-dead", manage, s.retryDead},
		{get, "/v1/jobs/{id}", manage, s.getJob},

		{get, "/v1/events", manage, s.listEvents},
		{get, "/v1/events/{id}", manage, s.getEvent},
		{get, "/v1/deliveries", manage, s.listDeliveries},
		{get, "/v1/deliveries/{id}", manage, s.getDelivery},
		{post, "/v1/deliveries/{id}/retry", manage, s.retryDelivery},

		{get, "/v1/operations", admin, s.getOperations},
		{put, "/v1/operations", admin, s.setOperations},
		{del, "/v1/operations", admin, s.removeOperations},
		{post, "/v1/operations/rotate-secret", admin, s.rotateOperationsSecret},
		{post, "/v1/operations/test", admin, s.testOperations},

		{get, "/v1/tokens", admin, s.listTokens},
		{post, "/v1/tokens", admin, s.createToken},
		{del, "/v1/tokens/{id}", admin, s.revokeToken},

		{get, "/v1/audit", admin, s.listDeeds},

		{post, "/stripe/{endpoint}", public, s.receive},
	}
}
