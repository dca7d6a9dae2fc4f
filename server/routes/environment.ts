/** Environment values of projects, for accounts. */
import { scopeQuerySchema, setEnvironmentValueSchema } from '../../contract/environment-api.ts';
import type { Plane } from '../plane.ts';
import { listEnvironment, removeEnvironmentValue, setEnvironmentValue } from '../project-environment.ts';
import { findProject } from '../projects.ts';
import { parse, type RouteTable } from './mount.ts';

/** The routes of environment values. */
export function environmentRoutes(plane: Plane): RouteTable {
  return {
    listEnvironment: {
      async answer({ request, account, parameter }) {
        const { id } = await findProject(plane, account(), parameter('slug'));
        return listEnvironment(plane, id, parse(scopeQuerySchema, request.query).scope);
      },
    },
    setEnvironmentValue: {
      async answer({ request, account, parameter }) {
        const { id } = await findProject(plane, account(), parameter('slug'));
        const body = parse(setEnvironmentValueSchema, request.body);
        return setEnvironmentValue(plane, id, account(), parameter('name'), body);
      },
    },
    removeEnvironmentValue: {
      async answer({ request, account, parameter }) {
        const { id } = await findProject(plane, account(), parameter('slug'));
        const { scope } = parse(scopeQuerySchema, request.query);
        return removeEnvironmentValue(plane, id, parameter('name'), scope);
      },
    },
  };
}
