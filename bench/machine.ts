/** The network namespace a bench runs in, and what others do by hand there. */
import { execFileSync } from 'node:child_process';
import { addressesOf, SELF } from './cluster.ts';

/** Runs a shell script to its end. @throws Error with its errors */
export function sh(script: string): string {
  return execFileSync('sh', ['-ec', script], { encoding: 'utf8', maxBuffer: 2 ** 28 });
}

/** This node's way to the others: a device with the node's addresses, and a network behind it. */
export function addUnderlay(): void {
  const [v4, v6] = addressesOf(SELF);
  sh(`ip link add underlay type dummy
      ip link set underlay mtu 1500 up
      ip address add ${v4}/16 dev underlay
      ip -6 address add ${v6}/64 dev underlay nodad`);
}

/** Takes away whatever a mesh, ours or by hand, left behind. */
export function clean(): void {
  for (const script of [
    'ip link del sheath0',
    'ip link del sheath1',
    'ip link del byhand',
    'ip route flush table 51830',
    'ip route flush table 51831',
    'ip -6 route flush table 51830',
    'ip -6 route flush table 51831',
    'ip rule flush pref 94',
    'ip -6 rule flush pref 94',
    'while ip rule del pref 94; do :; done',
    'while ip rule del pref 95; do :; done',
    'while ip -6 rule del pref 94; do :; done',
    'while ip -6 rule del pref 95; do :; done',
    'nft delete table inet sheath',
  ]) {
    try {
      execFileSync('sh', ['-c', script], { stdio: 'ignore' });
    } catch {
      // It was not there.
    }
  }
}

/** CPU this process has used, in seconds. */
export function ownCpu(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}
