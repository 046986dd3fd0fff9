/** Members of a crowd on WireGuard: a device each. */
import { generateKeyPairSync } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { run } from '../../../lab/processes.ts';
import { type Crowd, inBatch, type KeyPair } from './crowd.ts';

export function wireguardKeys(): KeyPair {
  const { x = '', d = '' } = generateKeyPairSync('x25519').privateKey.export({ format: 'jwk' });
  const [publicKey = '', privateKey = ''] = [x, d].map((text) =>
    Buffer.from(text, 'base64url').toString('base64'),
  );
  return { driver: 'wireguard', publicKey, privateKey };
}

export async function answerByWireGuard(crowd: Crowd): Promise<void> {
  const { netns, folder, members, agents } = crowd;
  const files = `${folder}/crowd`;
  await mkdir(files);
  const peers = agents.map(({ publicKey }) => `[Peer]\nPublicKey = ${publicKey}\n`).join('');
  for (const { port, privateKey } of members)
    await writeFile(
      `${files}/wg${port}`,
      `[Interface]\nPrivateKey = ${privateKey}\nListenPort = ${port}\n${peers}`,
    );
  await inBatch(
    crowd,
    members.map(({ port }) => `link add wg${port} type wireguard`),
  );
  const script = 'cd "$0"; for each in *; do wg setconf $each $each; done';
  await run(['ip', 'netns', 'exec', netns, 'sh', '-ec', script, files]);
  // Not before: until it is configured, a device that is up listens on any port.
  await inBatch(
    crowd,
    members.map(({ port }) => `link set wg${port} up`),
  );
}
