/** Every route of `/v1`: who may call it, in one table. The plane mounts nothing that is not here. */

import type { ClientEvents } from './logs.ts';
import type { Scope } from './words.ts';

/**
 * Who calls: an account's token, the admin token of a hosted plane, the holder of either, an attempt's own token, the
 * token that starts an attempt, or anybody.
 */
export type Principal = 'account' | 'admin' | 'holder' | 'builder' | 'bootstrap' | 'nobody';

/**
 * What a route is about, which matters to a token that is bound to one project: the `project` that `:slug` names, the
 * `deployment` that `:id` names, what is `asked` for (the route itself shows and takes no more than the token may), or
 * the `account` as a whole, which is closed to such a token.
 */
export type About = 'project' | 'deployment' | 'asked' | 'account';

/** Who may come in. `scope`: the least that a token of an account must have. */
export type Access =
  | { principal: 'account' | 'holder'; scope: Scope; about: About }
  | { principal: Exclude<Principal, 'account' | 'holder'> };

export type Route = {
  method: 'get' | 'post' | 'put' | 'delete';
  path: string;
  /** Not a `get`, and yet nothing that the audit log has to know. */
  unaudited?: true;
} & Access;

const account = <S extends Scope, A extends About>(scope: S, about: A) =>
  ({ principal: 'account', scope, about }) as const;
const holder = <S extends Scope, A extends About>(scope: S, about: A) =>
  ({ principal: 'holder', scope, about }) as const;

export const routes = {
  health: { method: 'get', path: '/v1/health', principal: 'nobody' },

  whoami: { method: 'get', path: '/v1/whoami', ...holder('read', 'asked') },
  regions: { method: 'get', path: '/v1/regions', ...holder('read', 'asked') },

  plane: { method: 'get', path: '/v1/plane', principal: 'admin' },
  stopPlane: { method: 'post', path: '/v1/plane/stop', principal: 'admin' },
  prune: { method: 'post', path: '/v1/plane/prune', principal: 'admin' },

  // Of hosted planes alone: an embedded plane has one account, with a token that it makes itself.
  createAccount: { method: 'post', path: '/v1/accounts', principal: 'admin' },
  listAccounts: { method: 'get', path: '/v1/accounts', principal: 'admin' },
  createToken: { method: 'post', path: '/v1/accounts/:account/tokens', ...holder('admin', 'account') },
  listTokens: { method: 'get', path: '/v1/accounts/:account/tokens', ...holder('admin', 'account') },
  removeToken: { method: 'delete', path: '/v1/accounts/:account/tokens/:id', ...holder('admin', 'account') },

  createTrust: { method: 'post', path: '/v1/accounts/:account/trusts', ...holder('admin', 'account') },
  listTrusts: { method: 'get', path: '/v1/accounts/:account/trusts', ...holder('admin', 'account') },
  removeTrust: { method: 'delete', path: '/v1/accounts/:account/trusts/:id', ...holder('admin', 'account') },
  // Whose ID token it is, its issuer has signed: a job has nothing else to show.
  exchangeIdToken: { method: 'post', path: '/v1/oidc/token', principal: 'nobody' },

  audit: { method: 'get', path: '/v1/audit', ...holder('admin', 'asked') },

  offerSource: { method: 'post', path: '/v1/sources', ...account('deploy', 'asked'), unaudited: true },
  uploadSource: {
    method: 'put',
    path: '/v1/sources/:digest',
    ...account('deploy', 'asked'),
    unaudited: true,
  },

  createDeployment: { method: 'post', path: '/v1/deployments', ...account('deploy', 'asked') },
  listDeployments: { method: 'get', path: '/v1/deployments', ...account('read', 'asked') },
  getDeployment: { method: 'get', path: '/v1/deployments/:id', ...account('read', 'deployment') },
  cancelDeployment: {
    method: 'post',
    path: '/v1/deployments/:id/cancel',
    ...account('deploy', 'deployment'),
  },
  redeploy: { method: 'post', path: '/v1/deployments/:id/redeploy', ...account('deploy', 'deployment') },
  deploymentLogs: { method: 'get', path: '/v1/deployments/:id/logs', ...account('read', 'deployment') },

  listProjects: { method: 'get', path: '/v1/projects', ...account('read', 'asked') },
  getProject: { method: 'get', path: '/v1/projects/:slug', ...account('read', 'project') },
  removeProject: { method: 'delete', path: '/v1/projects/:slug', ...account('admin', 'project') },
  listEnvironment: { method: 'get', path: '/v1/projects/:slug/env', ...account('read', 'project') },
  setEnvironmentValue: {
    method: 'put',
    path: '/v1/projects/:slug/env/:name',
    ...account('admin', 'project'),
  },
  removeEnvironmentValue: {
    method: 'delete',
    path: '/v1/projects/:slug/env/:name',
    ...account('admin', 'project'),
  },
  planRollback: { method: 'get', path: '/v1/projects/:slug/rollback', ...account('read', 'project') },
  rollback: { method: 'post', path: '/v1/projects/:slug/rollback', ...account('deploy', 'project') },
  promote: { method: 'post', path: '/v1/projects/:slug/promote', ...account('deploy', 'project') },
  listTargets: { method: 'get', path: '/v1/projects/:slug/targets', ...account('read', 'project') },
  removeTarget: {
    method: 'delete',
    path: '/v1/projects/:slug/targets/:name',
    ...account('deploy', 'project'),
  },

  registerBuilder: {
    method: 'post',
    path: '/v1/builds/:deployment/:attempt/register',
    principal: 'bootstrap',
    unaudited: true,
  },
  buildSource: { method: 'get', path: '/v1/builds/:deployment/:attempt/source', principal: 'builder' },
  buildCredential: {
    method: 'get',
    path: '/v1/builds/:deployment/:attempt/credential',
    principal: 'builder',
  },
  buildLogs: {
    method: 'post',
    path: '/v1/builds/:deployment/:attempt/logs',
    principal: 'builder',
    unaudited: true,
  },
  buildPhase: {
    method: 'post',
    path: '/v1/builds/:deployment/:attempt/phase',
    principal: 'builder',
    unaudited: true,
  },
  buildHeartbeat: {
    method: 'post',
    path: '/v1/builds/:deployment/:attempt/heartbeat',
    principal: 'builder',
    unaudited: true,
  },
  buildManifest: {
    method: 'post',
    path: '/v1/builds/:deployment/:attempt/manifest',
    principal: 'builder',
    unaudited: true,
  },
  uploadBlob: {
    method: 'put',
    path: '/v1/builds/:deployment/:attempt/blobs/:blob',
    principal: 'builder',
    unaudited: true,
  },
  buildCache: {
    method: 'get',
    path: '/v1/builds/:deployment/:attempt/caches/:name',
    principal: 'builder',
  },
  keepBuildCache: {
    method: 'post',
    path: '/v1/builds/:deployment/:attempt/caches/:name',
    principal: 'builder',
    unaudited: true,
  },
  buildResult: { method: 'post', path: '/v1/builds/:deployment/:attempt/result', principal: 'builder' },
} as const satisfies Record<string, Route>;

export type RouteName = keyof typeof routes;

/** Who may connect to the socket, and who may send each of its events. An event without a row does not compile. */
export const socketEvents = {
  connect: { ...account('read', 'asked') },
  follow: { ...account('read', 'deployment') },
} as const satisfies Record<'connect' | keyof ClientEvents, Access>;

/** Who may look at the sites that a plane serves itself. */
export const siteAccess = { principal: 'nobody' } as const satisfies Access;

/** The path of a route with its parameters filled in and escaped. */
export function routePath(name: RouteName, parameters: Record<string, string | number> = {}): string {
  return routes[name].path.replace(/:([a-z]+)/gi, (_, key: string) => {
    const value = parameters[key];
    if (value === undefined) throw new Error(`route ${name} needs the parameter ${key}`);
    return encodeURIComponent(value);
  });
}
