/** Every route of `/v1`: who may call it, in one table. The plane mounts nothing that is not here. */

/**
 * Who calls: an account's token, the admin token of a hosted plane, the holder of either, an attempt's own token, the
 * token that starts an attempt, or anybody.
 */
export type Principal = 'account' | 'admin' | 'holder' | 'builder' | 'bootstrap' | 'nobody';

export type Route = { method: 'get' | 'post' | 'put' | 'delete'; path: string; principal: Principal };

export const routes = {
  health: { method: 'get', path: '/v1/health', principal: 'nobody' },

  whoami: { method: 'get', path: '/v1/whoami', principal: 'holder' },
  regions: { method: 'get', path: '/v1/regions', principal: 'holder' },

  plane: { method: 'get', path: '/v1/plane', principal: 'admin' },
  stopPlane: { method: 'post', path: '/v1/plane/stop', principal: 'admin' },
  prune: { method: 'post', path: '/v1/plane/prune', principal: 'admin' },

  // Of hosted planes alone: an embedded plane has one account, with a token that it makes itself.
  createAccount: { method: 'post', path: '/v1/accounts', principal: 'admin' },
  listAccounts: { method: 'get', path: '/v1/accounts', principal: 'admin' },
  createToken: { method: 'post', path: '/v1/accounts/:account/tokens', principal: 'admin' },
  listTokens: { method: 'get', path: '/v1/accounts/:account/tokens', principal: 'admin' },
  removeToken: { method: 'delete', path: '/v1/accounts/:account/tokens/:id', principal: 'admin' },

  offerSource: { method: 'post', path: '/v1/sources', principal: 'account' },
  uploadSource: { method: 'put', path: '/v1/sources/:digest', principal: 'account' },

  createDeployment: { method: 'post', path: '/v1/deployments', principal: 'account' },
  listDeployments: { method: 'get', path: '/v1/deployments', principal: 'account' },
  getDeployment: { method: 'get', path: '/v1/deployments/:id', principal: 'account' },
  cancelDeployment: { method: 'post', path: '/v1/deployments/:id/cancel', principal: 'account' },
  redeploy: { method: 'post', path: '/v1/deployments/:id/redeploy', principal: 'account' },
  deploymentLogs: { method: 'get', path: '/v1/deployments/:id/logs', principal: 'account' },

  listProjects: { method: 'get', path: '/v1/projects', principal: 'account' },
  getProject: { method: 'get', path: '/v1/projects/:slug', principal: 'account' },
  removeProject: { method: 'delete', path: '/v1/projects/:slug', principal: 'account' },
  planRollback: { method: 'get', path: '/v1/projects/:slug/rollback', principal: 'account' },
  rollback: { method: 'post', path: '/v1/projects/:slug/rollback', principal: 'account' },
  promote: { method: 'post', path: '/v1/projects/:slug/promote', principal: 'account' },
  listTargets: { method: 'get', path: '/v1/projects/:slug/targets', principal: 'account' },
  removeTarget: { method: 'delete', path: '/v1/projects/:slug/targets/:name', principal: 'account' },

  registerBuilder: {
    method: 'post',
    path: '/v1/builds/:deployment/:attempt/register',
    principal: 'bootstrap',
  },
  buildSource: { method: 'get', path: '/v1/builds/:deployment/:attempt/source', principal: 'builder' },
  buildCredential: {
    method: 'get',
    path: '/v1/builds/:deployment/:attempt/credential',
    principal: 'builder',
  },
  buildLogs: { method: 'post', path: '/v1/builds/:deployment/:attempt/logs', principal: 'builder' },
  buildPhase: { method: 'post', path: '/v1/builds/:deployment/:attempt/phase', principal: 'builder' },
  buildHeartbeat: { method: 'post', path: '/v1/builds/:deployment/:attempt/heartbeat', principal: 'builder' },
  buildManifest: { method: 'post', path: '/v1/builds/:deployment/:attempt/manifest', principal: 'builder' },
  uploadBlob: { method: 'put', path: '/v1/builds/:deployment/:attempt/blobs/:blob', principal: 'builder' },
  buildResult: { method: 'post', path: '/v1/builds/:deployment/:attempt/result', principal: 'builder' },
} as const satisfies Record<string, Route>;

export type RouteName = keyof typeof routes;

/** The path of a route with its parameters filled in and escaped. */
export function routePath(name: RouteName, parameters: Record<string, string | number> = {}): string {
  return routes[name].path.replace(/:([a-z]+)/gi, (_, key: string) => {
    const value = parameters[key];
    if (value === undefined) throw new Error(`route ${name} needs the parameter ${key}`);
    return encodeURIComponent(value);
  });
}
