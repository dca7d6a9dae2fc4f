/** Whether an environment describes a hosted plane: without reading what only such a plane needs. */

/** Names that every hosted plane has and nothing but a hosted plane reads. */
const telling = [
  'SPHERE_SITES',
  'SPHERE_BUILDS',
  'SPHERE_PUBLIC_URL',
  'SPHERE_ACCOUNT_ID',
  'SPHERE_ECS_CLUSTER',
] as const;

/**
 * Whether the plane that this environment describes is a hosted one: DATABASE_URL is set, and so is a name of `telling`.
 * DATABASE_URL alone does not make it one: people who build web applications often have that set for their own, and their
 * `sphere deploy` starts an embedded plane.
 */
export function isHosted(environment: NodeJS.ProcessEnv): boolean {
  if (!environment.DATABASE_URL) return false;
  return telling.some((name) => environment[name]);
}
