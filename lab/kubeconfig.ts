import { rename, writeFile } from 'node:fs/promises';
import { stringify } from 'yaml';

export interface KubeconfigContent {
  readonly server: string;
  /** PEM; left out for plain HTTP. */
  readonly certificateAuthority?: Buffer;
  /** Name to check in the server's certificate, where it is not the host of `server`. */
  readonly serverName?: string;
  readonly token?: string;
}

/** Writes a kubeconfig with one context, mode 0600. */
export async function writeKubeconfig(path: string, content: KubeconfigContent): Promise<void> {
  const ca = content.certificateAuthority?.toString('base64');
  const text = stringify({
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'sheath',
    contexts: [{ name: 'sheath', context: { cluster: 'sheath', user: 'sheath' } }],
    clusters: [
      {
        name: 'sheath',
        cluster: {
          server: content.server,
          ...(ca && { 'certificate-authority-data': ca }),
          ...(content.serverName && { 'tls-server-name': content.serverName }),
        },
      },
    ],
    users: [{ name: 'sheath', user: content.token ? { token: content.token } : {} }],
  });
  await writeFile(`${path}.new`, text, { mode: 0o600 });
  await rename(`${path}.new`, path);
}
