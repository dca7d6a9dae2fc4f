/** What the CLI and the plane say to each other about environment values. */
import { z } from 'zod';
import {
  type EnvironmentScope,
  environmentLimits,
  environmentNameProblem,
  environmentScopes,
  environmentValueProblem,
  utf8Bytes,
} from './environment-values.ts';

const nameSchema = z.string().superRefine((name, context) => {
  const problem = environmentNameProblem(name);
  if (problem !== null) context.addIssue({ code: 'custom', message: problem });
});

const valueSchema = z.string().superRefine((value, context) => {
  const problem = environmentValueProblem(value);
  if (problem !== null) context.addIssue({ code: 'custom', message: problem });
});

/** Names to values that are no secrets, such as those of `--env`. */
export const plainEnvironmentSchema = z
  .record(nameSchema, valueSchema)
  .refine((values) => Object.keys(values).length <= environmentLimits.values, {
    message: `holds more than ${environmentLimits.values} values`,
  })
  .refine((values) => bytesOf(values) <= environmentLimits.totalBytes, {
    message: `has more than ${environmentLimits.totalBytes} bytes in all`,
  });

const bytesOf = (values: Record<string, string>) =>
  Object.entries(values).reduce((sum, [name, value]) => sum + name.length + utf8Bytes(value) + 2, 0);

/** `PUT /v1/projects/:slug/env/:name` */
export const setEnvironmentValueSchema = z
  .strictObject({
    value: valueSchema,
    scopes: z.array(z.enum(environmentScopes)).min(1).max(2),
    sensitive: z.boolean(),
  })
  .refine(({ scopes }) => new Set(scopes).size === scopes.length, { message: 'names a scope twice' });
export type SetEnvironmentValue = z.infer<typeof setEnvironmentValueSchema>;

/** The answer: what is stored now, read back. The digest is of the value that the caller has just sent. */
export type SetEnvironmentValueAnswer = {
  name: string;
  /** For each scope, whether it had a value of this name before. */
  scopes: { scope: EnvironmentScope; replaced: boolean }[];
  sensitive: boolean;
  /** SHA-256 of the stored value, in hex. */
  sha256: string;
};

/** A value as it is listed: a secret one is never given out again. */
export type EnvironmentEntry = {
  name: string;
  scope: EnvironmentScope;
  sensitive: boolean;
  /** Absent for sensitive ones, and for one that no key of the plane opens. */
  value?: string;
  updatedAt: string;
};
/** `GET /v1/projects/:slug/env?scope=`, by name and scope. */
export type EnvironmentList = { values: EnvironmentEntry[] };

/** `DELETE /v1/projects/:slug/env/:name?scope=`: without a scope, in both. */
export type RemoveEnvironmentValueAnswer = { name: string; scopes: EnvironmentScope[] };

/** `?scope=` of both. */
export const scopeQuerySchema = z.strictObject({ scope: z.enum(environmentScopes).optional() });

/**
 * The plain values of one deployment alone: `given` (flags) go above those of the project, `file` (the caller's
 * `sphere.json`) below them.
 */
export const deploymentEnvironmentSchema = z.strictObject({
  given: plainEnvironmentSchema.optional(),
  file: plainEnvironmentSchema.optional(),
});
export type DeploymentEnvironment = z.infer<typeof deploymentEnvironmentSchema>;
