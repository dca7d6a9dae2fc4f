/** The keys of issuers: they are rotated, and at times they cannot be had. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createIdTokens, type IdTokens } from '../../server/id-tokens.ts';
import { githubClaims, startTokenIssuer, type TokenIssuer } from './token-issuer.ts';

const audience = 'https://sphere.example.com';
let issuer: TokenIssuer;
let idTokens: IdTokens;
beforeAll(async () => {
  issuer = await startTokenIssuer();
  idTokens = createIdTokens({
    issuers: [{ provider: 'github', url: issuer.url, keys: null }],
    audience,
    cooldownMs: 0,
  });
});
afterAll(() => issuer.stop());

const signed = () => issuer.sign({ aud: audience, ...githubClaims });

test('keys that cannot be had are no fault of the token', async () => {
  issuer.answerKeysWith(500);
  await expect(idTokens.verify(await signed())).rejects.toMatchObject({ code: 'INFRASTRUCTURE' });
  issuer.answerKeysWith(200);
  await expect(idTokens.verify(await signed())).resolves.toMatchObject({ repository: 'acme/web' });
});

test('a new key is found, the old one counts until it is taken away', async () => {
  const old = await signed();
  await issuer.rotate({ keep: true });
  await expect(idTokens.verify(await signed())).resolves.toMatchObject({ ref: 'refs/heads/main' });
  await expect(idTokens.verify(old)).resolves.toMatchObject({ ref: 'refs/heads/main' });
  await issuer.rotate({ keep: false });
  await expect(idTokens.verify(await signed())).resolves.toMatchObject({ ref: 'refs/heads/main' });
  await expect(idTokens.verify(old)).rejects.toMatchObject({ code: 'NOT_SIGNED_IN' });
});

test('an issuer that names another host for its keys is not believed', async () => {
  const other = createIdTokens({
    issuers: [{ provider: 'github', url: `${issuer.url}/elsewhere`, keys: null }],
    audience,
  });
  const token = await issuer.sign({ iss: `${issuer.url}/elsewhere`, aud: audience, ...githubClaims });
  await expect(other.verify(token)).rejects.toMatchObject({ code: 'INFRASTRUCTURE' });
});
