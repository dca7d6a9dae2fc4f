/** The site store on S3, on a real S3 server. */

import { siteBucketName } from '../../server/adapters/s3/bucket-name.ts';
import { createS3SiteStore } from '../../server/adapters/s3/site-store.ts';
import { siteStoreSuite } from '../ports/site-store.suite.ts';
import { startS3 } from './website.ts';

siteStoreSuite('S3', async () => {
  const s3 = await startS3();
  return {
    store: createS3SiteStore(s3.options()),
    async get(site, path) {
      const bucket = siteBucketName({ kind: 'slug' }, site, '123456789012');
      const { status, text, headers } = await s3.visit(bucket, path);
      return { status, text, type: headers['content-type'] };
    },
    close: () => s3.stop(),
  };
});
