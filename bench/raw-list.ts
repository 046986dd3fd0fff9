/**
 * The reference of the agent benches, a program of its own: one plain list of Nodes, `wg syncconf`, `ip -batch`. It imports nothing
 * but Node's own modules, so that nothing of its time is loading.
 * raw-list.ts KUBECONFIG NAME-OF-OUR-NODE
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { get } from 'node:https';
import { tmpdir } from 'node:os';
import path from 'node:path';

interface Listed {
  readonly metadata: { readonly name: string; readonly annotations?: Record<string, string> };
}

const [kubeconfig = '', own] = process.argv.slice(2);
const text = readFileSync(kubeconfig, 'utf8');
const field = (name: string): string =>
  new RegExp(`"?${name}"?:\\s*(?:>-\\s*)?"?([^"\\s,]+)`).exec(text)?.[1] ?? '';
const list = await new Promise<{ items: Listed[] }>((resolve, reject) => {
  const headers = {
    accept: 'application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1',
    authorization: `Bearer ${field('token')}`,
  };
  const ca = Buffer.from(field('certificate-authority-data'), 'base64');
  get(`${field('server')}/api/v1/nodes`, { ca, headers }, (answer) => {
    const chunks: Buffer[] = [];
    answer.on('data', (chunk: Buffer) => chunks.push(chunk));
    answer.on('end', () => resolve(JSON.parse(Buffer.concat(chunks).toString()) as { items: Listed[] }));
  }).on('error', reject);
});
const claims = list.items
  .filter(({ metadata }) => metadata.name !== own)
  .map(({ metadata: { annotations = {} } }) => {
    const [generation] = JSON.parse(annotations['sheath.dev/generations'] ?? '[]') as {
      publicKey: string;
      port: number;
    }[];
    const endpoints = annotations['sheath.dev/endpoints']?.split(',') ?? [];
    return { generation, endpoints, prefixes: annotations['sheath.dev/prefixes']?.split(',') ?? [] };
  });

const folder = mkdtempSync(path.join(tmpdir(), 'raw-list-'));
const [conf, batch] = [path.join(folder, 'wg.conf'), path.join(folder, 'batch')];
const peers = claims.map(
  ({ generation, endpoints, prefixes }) =>
    `[Peer]\nPublicKey = ${generation?.publicKey}\nEndpoint = ${endpoints[0]}:${generation?.port}\nAllowedIPs = ${[...prefixes, ...endpoints].join(', ')}\n`,
);
writeFileSync(
  conf,
  `[Interface]\nPrivateKey = ${execFileSync('wg', ['genkey'], { encoding: 'utf8' })}ListenPort = 51831\n${peers.join('')}`,
  {
    mode: 0o600,
  },
);
writeFileSync(
  batch,
  claims
    .flatMap(({ prefixes }) => prefixes.map((prefix) => `route add ${prefix} dev byhand table 51830\n`))
    .join(''),
);
execFileSync('sh', ['-c', 'ip link add byhand type wireguard && ip link set byhand mtu 1420 up']);
execFileSync('wg', ['syncconf', 'byhand', conf]);
execFileSync('ip', ['-batch', batch]);
