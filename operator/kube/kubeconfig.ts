/** Reads a kubeconfig: who wins between flag, `KUBECONFIG`, the home directory and the pod, and what it says. */
import { access as canAccess, readFile } from 'node:fs/promises';
import { delimiter, dirname, join, resolve } from 'node:path';
import * as z from 'zod';
import { OperatorError } from '../errors.ts';
import type { Access, AccessOptions, TlsOptions } from './access.ts';
import { serviceAccountAccess } from './service-account.ts';
import { fileToken } from './tokens.ts';

const clusterSchema = z.looseObject({
  server: z.url(),
  'certificate-authority': z.string().optional(),
  'certificate-authority-data': z.string().optional(),
  'insecure-skip-tls-verify': z.boolean().optional(),
  'tls-server-name': z.string().optional(),
  'proxy-url': z.string().optional(),
});
const userSchema = z.looseObject({
  'client-certificate': z.string().optional(),
  'client-certificate-data': z.string().optional(),
  'client-key': z.string().optional(),
  'client-key-data': z.string().optional(),
  token: z.string().optional(),
  tokenFile: z.string().optional(),
  username: z.string().optional(),
  password: z.string().optional(),
  exec: z.unknown().optional(),
  'auth-provider': z.unknown().optional(),
});
const kubeconfigSchema = z.looseObject({
  'current-context': z.string().optional(),
  contexts: z.array(
    z.object({
      name: z.string(),
      context: z.looseObject({ cluster: z.string(), user: z.string().optional() }),
    }),
  ),
  clusters: z.array(z.object({ name: z.string(), cluster: clusterSchema })),
  users: z.array(z.object({ name: z.string(), user: userSchema.nullish() })).nullish(),
});

type Cluster = z.infer<typeof clusterSchema>;
type User = z.infer<typeof userSchema>;

/** @throws OperatorError `KUBECONFIG_MISSING`, `KUBECONFIG_INVALID` */
export async function loadAccess(options: AccessOptions): Promise<Access> {
  const path = await findKubeconfig(options);
  if (path !== undefined) return readKubeconfig(path, options.context);
  const inPod = await serviceAccountAccess(options.environment);
  if (inPod !== undefined) return inPod;
  throw new OperatorError(
    'KUBECONFIG_MISSING',
    'no kubeconfig: give --kubeconfig, set KUBECONFIG, or run in a pod with a service account',
  );
}

/** Several files in `KUBECONFIG` are merged by client-node, so their list is kept whole. */
async function findKubeconfig({ kubeconfig, environment }: AccessOptions): Promise<string | undefined> {
  if (kubeconfig !== undefined && kubeconfig !== '') return kubeconfig;
  if (environment.KUBECONFIG !== undefined && environment.KUBECONFIG !== '') return environment.KUBECONFIG;
  const home = join(environment.HOME ?? '/root', '.kube', 'config');
  return (await canAccess(home).then(
    () => true,
    () => false,
  ))
    ? home
    : undefined;
}

async function readKubeconfig(path: string, context: string | undefined): Promise<Access> {
  if (path.includes(delimiter)) return byClientNode(path, context);
  const config = parseKubeconfig(path, await read(path), (await import('./yaml.ts')).parseYaml);
  const name = context ?? config['current-context'];
  const chosen = config.contexts.find((each) => each.name === name)?.context;
  if (chosen === undefined)
    throw invalid(path, name === undefined ? 'no current-context; give --context' : `no context "${name}"`);
  const cluster = config.clusters.find((each) => each.name === chosen.cluster)?.cluster;
  if (cluster === undefined) throw invalid(path, `no cluster "${chosen.cluster}"`);
  const user = config.users?.find((each) => each.name === chosen.user)?.user ?? {};
  if (user.exec !== undefined || user['auth-provider'] !== undefined || cluster['proxy-url'] !== undefined) {
    return byClientNode(path, context);
  }
  return {
    server: new URL(cluster.server),
    tls: await tlsOptions(path, cluster, user),
    origin: path,
    authorization: authorizer(path, user),
  };
}

function parseKubeconfig(
  path: string,
  text: string,
  parse: (text: string) => unknown,
): z.infer<typeof kubeconfigSchema> {
  let content: unknown;
  try {
    content = parse(text);
  } catch (cause) {
    throw invalid(path, cause instanceof Error ? cause.message : String(cause), cause);
  }
  const parsed = kubeconfigSchema.safeParse(content);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  // The message names the place, never the value: there are keys and tokens in here.
  throw invalid(
    path,
    `${issue?.path.join('.') || 'top'}: ${issue?.code === 'invalid_type' ? `expected ${issue.expected}` : 'invalid'}`,
  );
}

async function tlsOptions(path: string, cluster: Cluster, user: User): Promise<TlsOptions> {
  const folder = dirname(path);
  const ca = await bytes(folder, cluster['certificate-authority-data'], cluster['certificate-authority']);
  const cert = await bytes(folder, user['client-certificate-data'], user['client-certificate']);
  const key = await bytes(folder, user['client-key-data'], user['client-key']);
  const servername = cluster['tls-server-name'];
  return {
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
    ...(servername === undefined ? {} : { servername }),
    ...(cluster['insecure-skip-tls-verify'] === true ? { rejectUnauthorized: false } : {}),
  };
}

function authorizer(path: string, user: User): Access['authorization'] {
  if (user.tokenFile !== undefined) return fileToken(resolve(dirname(path), user.tokenFile));
  if (user.token !== undefined) return async () => `Bearer ${user.token}`;
  if (user.username === undefined) return async () => undefined;
  const basic = Buffer.from(`${user.username}:${user.password ?? ''}`).toString('base64');
  return async () => `Basic ${basic}`;
}

async function bytes(
  folder: string,
  data: string | undefined,
  file: string | undefined,
): Promise<Buffer | undefined> {
  if (data !== undefined) return Buffer.from(data, 'base64');
  return file === undefined ? undefined : read(resolve(folder, file)).then((text) => Buffer.from(text));
}

async function read(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    throw new OperatorError(
      'KUBECONFIG_INVALID',
      `cannot read ${path}: ${cause instanceof Error ? cause.message : String(cause)}`,
      { cause },
    );
  }
}

async function byClientNode(path: string, context: string | undefined): Promise<Access> {
  const { accessByClientNode } = await import('./client-node.ts');
  try {
    return await accessByClientNode(path, context);
  } catch (cause) {
    throw invalid(path, cause instanceof Error ? cause.message : String(cause), cause);
  }
}

function invalid(path: string, message: string, cause?: unknown): OperatorError {
  return new OperatorError('KUBECONFIG_INVALID', `${path}: ${message}`, { cause });
}
