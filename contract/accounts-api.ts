/** What is said about accounts under `/v1`: their tokens, whom they trust, and who has changed what. */
import { z } from 'zod';
import { accountNamePattern, type Scope, scopes, slugPattern } from './words.ts';

/** `POST /v1/accounts`, by the admin. Safe to repeat: answers with the account that is there. */
export const createAccountSchema = z.strictObject({
  name: z.string().regex(accountNamePattern, 'must be 1 to 63 of a-z, 0-9 and single inner hyphens'),
});
export type Account = { name: string; createdAt: string };
export type CreateAccountAnswer = { account: Account };
/** `GET /v1/accounts`, by name. */
export type AccountList = { accounts: Account[] };

/** `POST /v1/accounts/:account/tokens`, by the admin or by a token of the account that has the scope `admin`. */
export const createTokenSchema = z.strictObject({
  /** What it is for, such as `ci`. */
  name: z
    .string()
    .min(1)
    .max(100)
    .regex(/^\P{Cc}+$/u, 'must hold no control characters'),
  /** Without it the token does not expire. */
  expiresInDays: z.number().int().min(1).max(3650).optional(),
  /** Default: `deploy`. */
  scope: z.enum(scopes).optional(),
  /** The slug of the only project that it reaches, which need not be there yet. Without it: every one of the account. */
  project: z.string().regex(slugPattern, 'is not a slug').optional(),
});
export type CreateToken = z.infer<typeof createTokenSchema>;
/** The only time that the token itself (`sph_…`) is shown: the plane keeps a hash. */
export type CreateTokenAnswer = {
  token: string;
  id: string;
  name: string;
  account: string;
  scope: Scope;
  project: string | null;
  /** ISO 8601; null: it does not expire. */
  expiresAt: string | null;
};
/** A token without its secret. */
export type TokenEntry = {
  id: string;
  name: string;
  scope: Scope;
  /** The only project that it reaches; null: every one of the account. */
  project: string | null;
  createdAt: string;
  expiresAt: string | null;
  /** Null: never used. */
  lastUsedAt: string | null;
};
/** `GET /v1/accounts/:account/tokens`, newest first. */
export type TokenList = { tokens: TokenEntry[] };
/** `DELETE /v1/accounts/:account/tokens/:id`: the token works no more. */
export type RemoveTokenAnswer = { id: string };

export const trustProviders = ['github', 'gitlab'] as const;
/** Whose jobs can be trusted. */
export type TrustProvider = (typeof trustProviders)[number];

/** `POST /v1/accounts/:account/trusts`: jobs of a repository may deploy to a project, without a token that is kept. */
export const createTrustSchema = z.strictObject({
  provider: z.enum(trustProviders),
  /** `OWNER/REPO`, or `GROUP/…/PROJECT`. */
  repository: z
    .string()
    .max(500)
    .regex(/^[A-Za-z0-9_.-]+(\/[A-Za-z0-9_.-]+)+$/, 'is not OWNER/REPO'),
  /** The host's own id of it; default: that of the first job. */
  repositoryId: z
    .string()
    .regex(/^[1-9]\d{0,19}$/, 'is not the number of a repository')
    .optional(),
  /** Jobs on this ref alone: a branch, or a full name such as `refs/tags/v1`. Default: any branch or tag. */
  ref: z
    .string()
    .min(1)
    .max(255)
    .regex(/^\P{Cc}+$/u, 'must hold no control characters')
    .optional(),
  /** Jobs in this environment alone. */
  environment: z
    .string()
    .min(1)
    .max(255)
    .regex(/^\P{Cc}+$/u, 'must hold no control characters')
    .optional(),
  project: z.string().regex(slugPattern, 'is not a slug'),
  /** Who signs the ID tokens, where that is not github.com or gitlab.com; the plane must know it. */
  issuer: z.string().max(500).optional(),
});
export type CreateTrust = z.infer<typeof createTrustSchema>;
export type Trust = {
  id: string;
  provider: TrustProvider;
  issuer: string;
  repository: string;
  /** Null until the first job. */
  repositoryId: string | null;
  /** Its full name; null: any branch or tag. */
  ref: string | null;
  environment: string | null;
  project: string;
  createdAt: string;
  lastUsedAt: string | null;
};
/** `GET /v1/accounts/:account/trusts`, newest first. */
export type TrustList = { trusts: Trust[] };
export type RemoveTrustAnswer = { id: string };

/** `POST /v1/oidc/token`, by a job: its ID token, whose audience is the plane's own address, for a token of ours. */
export const exchangeSchema = z.strictObject({
  idToken: z.string().min(1).max(16_384),
  /** The slug of the project that the job means: any account can write down that it trusts any repository. */
  project: z.string().regex(slugPattern, 'is not a slug'),
});
export type Exchange = z.infer<typeof exchangeSchema>;
/** It reaches one project with the scope `deploy`, until `expiresAt`, or until what it has deployed has ended. */
export type ExchangeAnswer = { token: string; account: string; project: string; expiresAt: string };

/** Who makes a change: a token of an account, the admin, a builder, a job with an ID token, the plane itself. */
export type ActorKind = 'token' | 'admin' | 'builder' | 'job' | 'plane' | 'nobody';
export type AuditEntry = {
  id: string;
  at: string;
  /** Null: the plane's own objects. */
  account: string | null;
  actor: {
    kind: ActorKind;
    /** The token, the attempt, or the job as its host names it. */
    id: string | null;
  };
  /** The name of the route. */
  action: string;
  project: string | null;
  /** What was changed, such as a deployment's id. */
  object: string | null;
  /** From which address it was asked for. */
  address: string | null;
  requestId: string | null;
};
/** `GET /v1/audit?project=&limit=&before=`: newest first. `next` is the `before` of the page that follows. */
export type AuditList = { entries: AuditEntry[]; next: string | null };
