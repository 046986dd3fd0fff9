/** Access through client-node's KubeConfig: exec plugins, OIDC and cloud providers, proxies, merged files. */
import type { Agent, RequestOptions } from 'node:https';
import { delimiter } from 'node:path';
import { KubeConfig } from '@kubernetes/client-node/dist/config.js';
import type { Access } from './access.ts';

export async function accessByClientNode(path: string, context: string | undefined): Promise<Access> {
  const config = new KubeConfig();
  for (const [index, file] of path
    .split(delimiter)
    .filter((each) => each !== '')
    .entries()) {
    if (index === 0) config.loadFromFile(file);
    else {
      const other = new KubeConfig();
      other.loadFromFile(file);
      config.mergeConfig(other, true);
    }
  }
  if (context !== undefined) config.setCurrentContext(context);
  const cluster = config.getCurrentCluster();
  if (cluster === null) throw new Error(`context "${config.currentContext}" names no cluster`);
  const options = await requestOptions(config);
  return {
    server: new URL(cluster.server),
    tls: {
      ...buffer('ca', options.ca),
      ...buffer('cert', options.cert),
      ...buffer('key', options.key),
      ...(typeof options.servername === 'string' ? { servername: options.servername } : {}),
      ...(options.rejectUnauthorized === false ? { rejectUnauthorized: false } : {}),
    },
    origin: path,
    ...(cluster.proxyUrl === undefined ? {} : { agent: options.agent as Agent }),
    // KubeConfig keeps a credential until it expires by itself.
    authorization: async () => headerOf(await requestOptions(config)),
  };
}

async function requestOptions(config: KubeConfig): Promise<RequestOptions> {
  const options: RequestOptions = {};
  await config.applyToHTTPSOptions(options);
  return options;
}

function headerOf(options: RequestOptions): string | undefined {
  if (typeof options.auth === 'string') return `Basic ${Buffer.from(options.auth).toString('base64')}`;
  const headers = options.headers;
  if (headers === undefined || Array.isArray(headers)) return undefined;
  const value = (headers as Record<string, unknown>).Authorization;
  return typeof value === 'string' ? value : undefined;
}

function buffer<Name extends string>(name: Name, value: unknown): { readonly [K in Name]?: Buffer } {
  if (Buffer.isBuffer(value)) return { [name]: value } as { [K in Name]: Buffer };
  if (typeof value === 'string') return { [name]: Buffer.from(value) } as { [K in Name]: Buffer };
  return {};
}
