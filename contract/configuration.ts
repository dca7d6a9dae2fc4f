/** `sphere.json`: the schema is the documentation; JSON schema and reference page are generated from it. */
import { z } from 'zod';
import { plainEnvironmentSchema } from './environment-api.ts';
import { previewDays } from './preview.ts';
import { slugPattern } from './words.ts';

const command = (what: string) =>
  z.union([z.string().min(1), z.null()]).describe(`${what} \`null\` runs none.`);

/** A path inside the source, with `/` between its parts and no way out of it. */
const innerPath = z
  .string()
  .min(1)
  .refine((path) => !path.startsWith('/') && !path.split('/').includes('..') && !path.includes('\\'), {
    message: 'must be a relative path inside the source, with "/" between its parts and no ".."',
  });

const pathPattern = z
  .string()
  .regex(/^\//, 'must start with "/"')
  .describe(
    'A path pattern: `/old`, `/blog/:slug` (one part), `/docs/*` (the rest, `:splat` in a destination).',
  );

const redirect = z
  .strictObject({
    source: pathPattern,
    destination: z.string().min(1).describe('A path or an absolute URL; may use the names of the source.'),
    permanent: z.boolean().optional().describe('308 instead of 307. Default: false.'),
    statusCode: z
      .union([z.literal(301), z.literal(302), z.literal(303), z.literal(307), z.literal(308)])
      .optional()
      .describe('The status, where 307 or 308 will not do. Not together with `permanent`.'),
  })
  .refine((rule) => rule.permanent === undefined || rule.statusCode === undefined, {
    message: 'takes "permanent" or "statusCode", not both',
  });

const headerRule = z.strictObject({
  source: pathPattern,
  headers: z
    .record(
      z.string().regex(/^[A-Za-z0-9-]+$/, 'is not a header name'),
      z.string().regex(/^[^\r\n]*$/, 'holds a line break'),
    )
    .describe('Header names and values.'),
});

/** How a site is served. Comes from the `sphere.json` in the source. */
export const servingSchema = z.strictObject({
  cleanUrls: z
    .boolean()
    .optional()
    .describe(
      'Serve `about.html` at `/about` and redirect `/about.html` there. Default: served at both, no redirect.',
    ),
  trailingSlash: z
    .boolean()
    .optional()
    .describe(
      '`true` redirects `/about` to `/about/`, `false` the other way. Default: what the files suggest.',
    ),
  spa: z
    .boolean()
    .optional()
    .describe(
      'Answer navigations to unknown paths with `/index.html` (a single-page application). Default: true for a site of one page that uses a router in the browser.',
    ),
  notFound: innerPath
    .optional()
    .describe('The page for unknown paths. Default: `404.html` where there is one.'),
  redirects: z.array(redirect).max(2048).optional().describe('Redirects, the first that matches wins.'),
  headers: z
    .array(headerRule)
    .max(2048)
    .optional()
    .describe('Response headers; every rule that matches applies.'),
});
export type Serving = z.infer<typeof servingSchema>;
export type Redirect = z.infer<typeof redirect>;

const limits = z.strictObject({
  minutes: z
    .number()
    .int()
    .min(1)
    .max(24 * 60)
    .optional()
    .describe(
      'How long install and build may take together. Default, and most: what the control plane allows.',
    ),
});

/** How a source is built. Comes from the `sphere.json` in the source, flags and environment above it. */
export const buildSettingsSchema = z.strictObject({
  framework: z
    .string()
    .min(1)
    .optional()
    .describe('The framework, where detection is wrong: a name such as `vite`, or `none`.'),
  installCommand: command('The command that installs dependencies.').optional(),
  buildCommand: command('The command that builds the site.').optional(),
  outputDirectory: innerPath
    .optional()
    .describe('Where the build leaves the site, relative to the root directory.'),
  rootDirectory: innerPath.optional().describe('The directory to build, relative to the repository.'),
  ignoreCommand: z
    .union([z.string().min(1), z.null()])
    .optional()
    .describe(
      'A command that decides whether there is anything to build. It runs in the root directory before the install: exit code 0 ignores the deployment, and what is live stays; any other builds. `--force` does not ask it.',
    ),
  nodeVersion: z
    .string()
    .regex(/^[0-9xX.*^~<>=| -]+$|^lts\/[a-z*]+$/, 'is not a Node version or range such as "22" or ">=20.19"')
    .optional()
    .describe('The Node version or range to build with. Default: `.nvmrc`, `.node-version`, `engines.node`.'),
  limits: limits
    .optional()
    .describe("Limits of a build, within those of the control plane. Read on the caller's side only."),
});
export type BuildSettings = z.infer<typeof buildSettingsSchema>;

const previewsSchema = z.strictObject({
  expireAfterDays: z
    .number()
    .int()
    .min(previewDays.least)
    .max(previewDays.most)
    .optional()
    .describe(
      `The days after which a preview ends, counted from its last deployment: ${previewDays.least} to ${previewDays.most}. Default: ${previewDays.default}.`,
    ),
});

/** The whole of `sphere.json`. */
export const configurationSchema = z.strictObject({
  $schema: z.string().optional().describe('Where editors find the JSON schema.'),
  slug: z
    .string()
    .regex(slugPattern, 'must be 3 to 63 of a-z, 0-9 and single inner hyphens')
    .optional()
    .describe("The project's slug: its name and its host name. Read on the caller's side only."),
  region: z.string().min(1).optional().describe("Where the site is kept. Read on the caller's side only."),
  repository: z
    .string()
    .min(1)
    .optional()
    .describe("The Git repository to deploy. Default: the directory itself. Read on the caller's side only."),
  ref: z
    .string()
    .min(1)
    .optional()
    .describe(
      "Its branch, tag or commit. Default: the repository's own default branch. Read on the caller's side only.",
    ),
  env: plainEnvironmentSchema
    .optional()
    .describe(
      "Environment values for install and build, by name. No secrets: `sphere env add` is for those. The project's own values and `--env` go above them. Read on the caller's side only.",
    ),
  productionBranch: z
    .string()
    .min(1)
    .optional()
    .describe(
      "The Git branch whose deployments become live: those of any other are previews, unless `--prod` says otherwise. Default: every deployment becomes live. Read on the caller's side only.",
    ),
  previews: previewsSchema.optional().describe("Previews. Read on the caller's side only."),
  ...buildSettingsSchema.shape,
  ...servingSchema.shape,
});
export type Configuration = z.infer<typeof configurationSchema>;

/** The name of the configuration file. */
export const configurationFile = 'sphere.json';
