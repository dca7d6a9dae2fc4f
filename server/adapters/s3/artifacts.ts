/** Objects of a region's artifact bucket, whole: read, written, listed and removed. */
import {
  DeleteObjectsCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  NoSuchKey,
  PutObjectCommand,
} from '@aws-sdk/client-s3';
import type { ArtifactStore } from '../../ports.ts';
import { type ArtifactBuckets, createArtifactBuckets } from './artifact-bucket.ts';
import { createS3, type S3 } from './client.ts';
import { type Fence, sendFenced } from './fence.ts';
import type { S3Options } from './options.ts';
import { nameOf } from './retry.ts';

/** The most keys of one DeleteObjects (T12). */
export const deletePage = 1000;

/** Keeps parts of logs in the artifact bucket of the first region. */
export function createS3ArtifactStore(options: S3Options): ArtifactStore {
  const s3 = createS3(options);
  return artifactStore(s3, createArtifactBuckets(s3), options.regions[0] as string);
}

/** The artifact bucket of `region` as a store of objects. */
export function artifactStore(s3: S3, buckets: ArtifactBuckets, region: string): ArtifactStore {
  return {
    async put(key, content) {
      const Bucket = await buckets(region);
      await s3.call(region, (client, options) =>
        client.send(new PutObjectCommand({ Bucket, Key: key, Body: content, ...s3.owner }), options),
      );
    },
    async get(key) {
      const Bucket = await buckets(region);
      try {
        return await s3.call(region, async (client, options) => {
          const { Body } = await client.send(
            new GetObjectCommand({ Bucket, Key: key, ...s3.owner }),
            options,
          );
          return Buffer.from((await Body?.transformToByteArray()) ?? []);
        });
      } catch (error) {
        if (error instanceof NoSuchKey || nameOf(error) === 'NoSuchKey') return null;
        throw error;
      }
    },
    async list(prefix) {
      const found: { key: string; bytes: number; modifiedAt: Date }[] = [];
      for await (const { objects } of listPages(s3, { region, bucket: await buckets(region), prefix })) {
        found.push(...objects);
      }
      return found;
    },
    async remove(keys) {
      await removeKeys(s3, { region, bucket: await buckets(region), keys });
    },
  };
}

export type Listed = { key: string; bytes: number; modifiedAt: Date };

/**
 * The pages of a listing, in the order of the keys; `after` is not among them. A page may be short, and empty, and yet be
 * followed by `more`.
 */
export async function* listPages(
  s3: S3,
  what: { region: string; bucket: string; prefix: string; after?: string },
): AsyncGenerator<{ objects: Listed[]; more: boolean }> {
  let token: string | undefined;
  do {
    const page = await s3.call(what.region, (client, options) =>
      client.send(
        new ListObjectsV2Command({
          Bucket: what.bucket,
          Prefix: what.prefix,
          ...(token ? { ContinuationToken: token } : what.after ? { StartAfter: what.after } : {}),
          ...s3.owner,
        }),
        options,
      ),
    );
    token = page.IsTruncated ? page.NextContinuationToken : undefined;
    const objects = (page.Contents ?? []).map(({ Key = '', Size = 0, LastModified }) => ({
      key: Key,
      bytes: Size,
      modifiedAt: LastModified ?? new Date(0),
    }));
    yield { objects, more: token !== undefined };
  } while (token);
}

/**
 * Deletes `keys` by pages of 1,000. The answer is 200 even where single keys failed (T12): those are tried again by
 * themselves, and what fails for good is thrown.
 */
export async function removeKeys(
  s3: S3,
  what: { region: string; bucket: string; keys: readonly string[] },
  fence?: Fence,
): Promise<void> {
  for (let start = 0; start < what.keys.length; start += deletePage) {
    let left = what.keys.slice(start, start + deletePage);
    await s3.call(
      what.region,
      async (client, options) => {
        const command = new DeleteObjectsCommand({
          Bucket: what.bucket,
          Delete: { Objects: left.map((Key) => ({ Key })), Quiet: true },
          ...s3.owner,
        });
        const { Errors = [] } = await sendFenced(s3, what.region, command, fence, (fenced) =>
          client.send(fenced, options),
        );
        const failed = Errors.filter(({ Code }) => Code !== 'NoSuchKey');
        const first = failed[0];
        if (!first) return;
        left = failed.flatMap(({ Key }) => Key ?? []);
        const message = `${failed.length} of the keys to delete were refused, ${first.Key} with ${first.Code}: ${first.Message}`;
        throw Object.assign(new Error(message), { name: first.Code });
      },
      fence?.signal,
    );
  }
}
