/**
 * One HTTP request and its answer, over kept-alive connections.
 *
 * By node:http, because a command's first request is what a person waits for: on Node 20 it costs a fresh process 19 to
 * 27 ms, the built-in fetch and undici 155 to 274 ms.
 */
import http from 'node:http';
import https from 'node:https';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

export type Call = {
  method: string;
  url: string;
  headers: Record<string, string>;
  /** Sent as it is; a stream is sent chunked. */
  body?: string | Readable;
  /** Milliseconds without a byte after which the call fails with the code `ETIMEDOUT`. */
  timeoutMs: number;
  signal?: AbortSignal | undefined;
};

export type HttpClient = {
  /** Resolves with the answer's head; its body is a stream that must be read or destroyed. Rejects as sockets do. */
  send(call: Call): Promise<http.IncomingMessage>;
  /** Lets go of idle connections. */
  close(): void;
};

export function createHttpClient(): HttpClient {
  const plain = new http.Agent({ keepAlive: true });
  let secure: https.Agent | undefined;
  return {
    async send({ method, url, headers, body, timeoutMs, signal }) {
      const isSecure = url.startsWith('https:');
      if (isSecure) secure ??= new https.Agent({ keepAlive: true });
      const request = (isSecure ? https : http).request(url, {
        method,
        headers:
          typeof body === 'string' ? { ...headers, 'content-length': Buffer.byteLength(body) } : headers,
        agent: isSecure ? secure : plain,
        timeout: timeoutMs,
        ...(signal ? { signal } : {}),
      });
      request.on('timeout', () => {
        const error: NodeJS.ErrnoException = new Error(`no answer within ${timeoutMs / 1000} s`);
        error.code = 'ETIMEDOUT';
        request.destroy(error);
      });
      const answer = new Promise<http.IncomingMessage>((resolve, reject) => {
        request.on('response', resolve);
        request.on('error', reject);
      });
      if (body === undefined || typeof body === 'string') request.end(body);
      // When the other side answers before it has read all, the answer is what counts.
      else pipeline(body, request).catch((error) => request.destroy(error as Error));
      return answer;
    },
    close() {
      plain.destroy();
      secure?.destroy();
    },
  };
}

/** The whole body of an answer as text. */
export async function readText(answer: Readable): Promise<string> {
  answer.setEncoding('utf8');
  let text = '';
  for await (const chunk of answer) text += chunk;
  return text;
}
