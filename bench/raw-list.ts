/**
 * The reference of the agent benches, a program of its own: one plain list of Nodes, `wg syncconf`, `ip -batch`.
 * raw-list.ts KUBECONFIG
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { apiTarget, call } from '../lab/api-client.ts';
import { nodeName, SELF } from './cluster.ts';
import { sh } from './machine.ts';

interface Listed {
  readonly metadata: { readonly name: string; readonly annotations?: Record<string, string> };
}

const [kubeconfig = ''] = process.argv.slice(2);
const list = (await call(await apiTarget(kubeconfig), {
  path: '/api/v1/nodes',
  headers: { accept: 'application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1' },
})) as { items: Listed[] };
const claims = list.items
  .filter(({ metadata }) => metadata.name !== nodeName(SELF))
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
writeFileSync(conf, `[Interface]\nPrivateKey = ${sh('wg genkey')}ListenPort = 51831\n${peers.join('')}`, {
  mode: 0o600,
});
writeFileSync(
  batch,
  claims
    .flatMap(({ prefixes }) => prefixes.map((prefix) => `route add ${prefix} dev byhand table 51830\n`))
    .join(''),
);
sh('ip link add byhand type wireguard; ip link set byhand mtu 1420 up');
execFileSync('wg', ['syncconf', 'byhand', conf]);
execFileSync('ip', ['-batch', batch]);
