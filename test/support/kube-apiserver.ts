/**
 * A real etcd and kube-apiserver, what the field calls envtest: no kubelets, no scheduler, everything else is Kubernetes.
 * The binaries come from `KUBEBUILDER_ASSETS`, else from `~/.cache/sheath/envtest`.
 */
import { createHash, generateKeyPairSync } from 'node:crypto';
import { access, constants, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { apiTarget, send } from '../../lab/api-client.ts';
import { writeKubeconfig } from '../../lab/kubeconfig.ts';
import { end, exited, spawnLogged } from '../../lab/processes.ts';
import { type Listen, relay } from '../../lab/relay.ts';

export interface KubeApiserverOptions {
  /** 127.0.0.1 unless told otherwise. */
  readonly bindAddress?: string;
  /** Kept afterwards when given; else a temporary folder that `stop` removes. */
  readonly folder?: string;
  /** Who else the server knows, by bearer token: a kubelet is user `system:node:n1` in group `system:nodes`. */
  readonly users?: Readonly<Record<string, { readonly user: string; readonly groups: readonly string[] }>>;
  /** How long it may take until ready, in milliseconds; 120 s, for user-mode Linux on a busy machine. */
  readonly patience?: number;
}

export interface KubeApiserver {
  /** Belongs to an administrator (group `system:masters`). */
  readonly kubeconfigPath: string;
  readonly url: string;
  /** Holds `etcd.log`, `kube-apiserver.log` and the data. */
  readonly folder: string;
  /** The administrator's. */
  readonly token: string;
  /** Writes a kubeconfig for another bearer token, and returns its path. */
  kubeconfigOf(token: string): Promise<string>;
  /**
   * Makes the server reachable inside a network namespace and returns the path of a kubeconfig for there.
   * Ends with `stop`; survives `restart`.
   */
  exposeIn(listen: Listen): Promise<string>;
  stop(): Promise<void>;
  /** Ends kube-apiserver (etcd stays) and starts it again on the same port; resolves when it is ready. */
  restart(): Promise<void>;
  /** Ends kube-apiserver only; `restart` brings it back. */
  pause(): Promise<void>;
}

/** Where the binaries are. Throws with the way out when there are none. */
export async function envtestFolder(environment: NodeJS.ProcessEnv = process.env): Promise<string> {
  const folder = environment.KUBEBUILDER_ASSETS || join(homedir(), '.cache', 'sheath', 'envtest');
  try {
    for (const name of ['etcd', 'kube-apiserver']) await access(join(folder, name), constants.X_OK);
  } catch (cause) {
    const way =
      'point KUBEBUILDER_ASSETS at a folder that holds them, or build them with `sh test/setup/envtest.sh`';
    throw new Error(`no etcd and kube-apiserver in ${folder}: ${way}`, { cause });
  }
  return folder;
}

/** Starts both and resolves when the API server is ready and RBAC is in place. */
export async function startKubeApiserver(options: KubeApiserverOptions = {}): Promise<KubeApiserver> {
  const binaries = await envtestFolder();
  const folder = options.folder ?? (await mkdtemp(join(tmpdir(), 'sheath-envtest-')));
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const bindAddress = options.bindAddress ?? '127.0.0.1';
  const [client, peer, port] = await freePorts(3);
  await writeSecrets(folder, options.users ?? {});

  const etcdUrl = `http://127.0.0.1:${client}`;
  const etcd = spawnLogged(
    [join(binaries, 'etcd'), ...etcdFlags(folder, etcdUrl, `http://127.0.0.1:${peer}`)],
    join(folder, 'etcd.log'),
  );
  const argv = [join(binaries, 'kube-apiserver'), ...apiserverFlags(folder, { etcdUrl, bindAddress, port })];
  const logFile = join(folder, 'kube-apiserver.log');
  let apiserver = spawnLogged(argv, logFile);
  const closing = new AbortController();
  const kubeconfigPath = join(folder, 'kubeconfig');
  const url = `https://${bindAddress}:${port}`;

  const ready = async (): Promise<void> => {
    const deadline = performance.now() + (options.patience ?? 120_000);
    for (;;) {
      if (await isReady(folder, kubeconfigPath, url)) return;
      if (apiserver.exitCode !== null || performance.now() > deadline) {
        const log = await readFile(logFile, 'utf8');
        throw new Error(`kube-apiserver is not ready; the end of its log:\n${log.slice(-2000)}`);
      }
      await sleep(100);
    }
  };
  const stop = async (): Promise<void> => {
    closing.abort();
    await end(apiserver, 1000);
    await end(etcd, 1000);
    if (options.folder === undefined) await rm(folder, { recursive: true, force: true });
  };
  const forget = (): void => {
    apiserver.kill('SIGKILL');
    etcd.kill('SIGKILL');
  };
  process.once('exit', forget);
  closing.signal.addEventListener('abort', () => process.off('exit', forget));
  try {
    await ready();
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    kubeconfigPath,
    url,
    folder,
    token: adminToken,
    stop,
    async pause() {
      await end(apiserver, 1000);
    },
    async restart() {
      await end(apiserver, 1000);
      await exited(apiserver);
      apiserver = spawnLogged(argv, logFile);
      await ready();
    },
    async kubeconfigOf(token) {
      const path = join(folder, `kubeconfig-${createHash('sha256').update(token).digest('hex').slice(0, 8)}`);
      const certificateAuthority = await readFile(join(folder, 'certs', 'apiserver.crt'));
      await writeKubeconfig(path, { server: url, certificateAuthority, token });
      return path;
    },
    async exposeIn(listen) {
      await relay(listen, { address: bindAddress, port }, closing.signal);
      const path = join(folder, `kubeconfig-${listen.netns ?? 'host'}`);
      await writeKubeconfig(path, {
        server: `https://${listen.address.includes(':') ? `[${listen.address}]` : listen.address}:${listen.port}`,
        certificateAuthority: await readFile(join(folder, 'certs', 'apiserver.crt')),
        serverName: 'kubernetes.default.svc',
        token: adminToken,
      });
      return path;
    },
  };
}

const adminToken = 'admintoken';

async function isReady(folder: string, kubeconfigPath: string, server: string): Promise<boolean> {
  try {
    const certificateAuthority = await readFile(join(folder, 'certs', 'apiserver.crt'));
    await writeKubeconfig(kubeconfigPath, { server, certificateAuthority, token: adminToken });
    const target = await apiTarget(kubeconfigPath);
    return (await send(target, { path: '/readyz', signal: AbortSignal.timeout(10_000) })).status === 200;
  } catch {
    return false;
  }
}

async function writeSecrets(
  folder: string,
  users: NonNullable<KubeApiserverOptions['users']>,
): Promise<void> {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  });
  await writeFile(join(folder, 'sa.pub'), publicKey);
  await writeFile(join(folder, 'sa.key'), privateKey, { mode: 0o600 });
  const known = Object.entries({ ...users, [adminToken]: { user: 'admin', groups: ['system:masters'] } });
  const lines = known.map(([token, { user, groups }]) => `${token},${user},${user},"${groups.join(',')}"\n`);
  await writeFile(join(folder, 'tokens.csv'), lines.join(''), { mode: 0o600 });
}

function etcdFlags(folder: string, clientUrl: string, peerUrl: string): readonly string[] {
  return [
    `--data-dir=${join(folder, 'etcd')}`,
    `--listen-client-urls=${clientUrl}`,
    `--advertise-client-urls=${clientUrl}`,
    `--listen-peer-urls=${peerUrl}`,
    `--initial-advertise-peer-urls=${peerUrl}`,
    `--initial-cluster=default=${peerUrl}`,
    '--unsafe-no-fsync',
    '--log-level=warn',
  ];
}

interface Where {
  readonly etcdUrl: string;
  readonly bindAddress: string;
  readonly port: number;
}

function apiserverFlags(folder: string, { etcdUrl, bindAddress, port }: Where): readonly string[] {
  return [
    `--etcd-servers=${etcdUrl}`,
    `--secure-port=${port}`,
    `--bind-address=${bindAddress}`,
    // The address of the API in every lab: it is in the certificate, and without one the server needs a default route.
    '--advertise-address=192.0.2.1',
    `--cert-dir=${join(folder, 'certs')}`,
    '--service-cluster-ip-range=10.96.0.0/16',
    '--service-account-issuer=https://kubernetes.default.svc',
    `--service-account-key-file=${join(folder, 'sa.pub')}`,
    `--service-account-signing-key-file=${join(folder, 'sa.key')}`,
    `--token-auth-file=${join(folder, 'tokens.csv')}`,
    '--authorization-mode=Node,RBAC',
    '--enable-admission-plugins=NodeRestriction',
    '--disable-admission-plugins=ServiceAccount',
    '--endpoint-reconciler-type=none',
    '--allow-privileged=true',
  ];
}

/** Ports that were free a moment ago. */
async function freePorts(count: 3): Promise<[number, number, number]>;
async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer();
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      return server;
    }),
  );
  const ports = servers.map((server) => {
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('a TCP server without a port');
    return address.port;
  });
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}
