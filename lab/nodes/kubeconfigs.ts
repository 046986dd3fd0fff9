/** The kubeconfig of a real API server, as a lab takes it over. */
import { readFile, writeFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import { dirname, resolve } from 'node:path';
import { parse, stringify } from 'yaml';
import { ZodError } from 'zod';
import { ApiError, type ApiTarget, apiTarget } from '../api-client.ts';
import { LabError } from '../errors.ts';
import { requireFreeNames } from './objects.ts';
import type { Topology } from './topology.ts';

/**
 * Whether a lab can be built with that file, before anything is. Throws `LAB_KUBECONFIG_INVALID`, `LAB_API_SILENT` and
 * `LAB_NODE_TAKEN`.
 */
export async function requireUsable(path: string, topology: Topology): Promise<void> {
  const target = await targetOf(path);
  try {
    await requireFreeNames(target, topology);
  } catch (cause) {
    if (cause instanceof LabError || cause instanceof ApiError) throw cause;
    const why = cause instanceof Error ? cause.message || cause.name : String(cause);
    throw new LabError('LAB_API_SILENT', `the API server of --kubeconfig ${path} does not answer: ${why}`, {
      cause,
    });
  }
}

async function targetOf(path: string): Promise<ApiTarget> {
  try {
    return await apiTarget(path);
  } catch (cause) {
    throw new LabError('LAB_KUBECONFIG_INVALID', `--kubeconfig ${path} cannot be used: ${whyNot(cause)}`, {
      cause,
    });
  }
}

function whyNot(error: unknown): string {
  if (error instanceof ZodError) {
    const [issue] = error.issues;
    return issue ? `${issue.path.join('.') || 'the file'}: ${issue.message}` : 'it is no kubeconfig';
  }
  const [line = ''] = String(error instanceof Error ? error.message : error).split('\n');
  return line;
}

/** Writes the same kubeconfig for use from another folder. */
export async function copyKubeconfig(from: string, to: string): Promise<void> {
  await write(to, await readWhole(from));
}

/** The same with another host, `192.0.2.1:6443`; its certificates are checked under a name they have. */
export async function redirectKubeconfig(from: string, to: string, host: string): Promise<void> {
  const config = await readWhole(from);
  const context = config.contexts.find((one) => one.name === config['current-context'])?.context;
  const cluster = config.clusters.find((one) => one.name === context?.cluster)?.cluster;
  if (!cluster)
    throw new LabError('LAB_KUBECONFIG_INVALID', `${from} has no cluster for its current context`);
  const url = new URL(cluster.server);
  // Every API server has this name; an address cannot be asked for (RFC 6066).
  const name = isIP(url.hostname) || url.hostname.startsWith('[') ? 'kubernetes.default.svc' : url.hostname;
  if (url.protocol === 'https:') cluster['tls-server-name'] ??= name;
  cluster.server = `${url.protocol}//${host}`;
  await write(to, config);
}

interface Named {
  readonly name: string;
}

type Entry = Record<string, string>;

/** As much of it as is changed here; `apiTarget` has checked it. */
interface Kubeconfig {
  readonly 'current-context': string;
  readonly contexts: readonly (Named & { readonly context: { readonly cluster: string } })[];
  readonly clusters: readonly (Named & { readonly cluster: Entry & { server: string } })[];
  readonly users: readonly (Named & { readonly user: Entry })[];
}

const FILE_KEYS = ['certificate-authority', 'client-certificate', 'client-key', 'tokenFile'];

/** Relative paths in a kubeconfig are meant from its own folder. */
async function readWhole(path: string): Promise<Kubeconfig> {
  const config = parse(await readFile(path, 'utf8')) as Kubeconfig;
  for (const entry of [
    ...config.clusters.map(({ cluster }) => cluster),
    ...config.users.map(({ user }) => user),
  ]) {
    for (const key of FILE_KEYS) {
      if (entry[key]) entry[key] = resolve(dirname(path), entry[key]);
    }
  }
  return config;
}

function write(path: string, config: Kubeconfig): Promise<void> {
  return writeFile(path, stringify(config), { mode: 0o600 });
}
