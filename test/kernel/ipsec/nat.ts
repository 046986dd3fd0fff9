/**
 * A node behind a NAT, which knows nothing of it: the router of its own network stands at the address of the underlay that the others know.
 *
 *   n3 ─ 198.51.100.3 ─ nat3 ─ 192.0.2.3 ─ br0
 */
import { sh } from './machines.ts';

export const PRIVATE = '198.51.100.3';

export interface NatOptions {
  /** Which ports it takes for what comes from inside. */
  readonly ports: string;
  /** Its address on the underlay. */
  readonly address: string;
}

/** Moves machine 3, which was made as the others are. Called again: another router in its place, which knows of no connection. */
export function hideBehindNat({ ports, address }: NatOptions): void {
  sh(`
    set -e
    ip netns del nat3 2>/dev/null || true
    ip -n n3 link del under0 2>/dev/null || true
    while ip -n hub link show u3 >/dev/null 2>&1; do ip -n hub link del u3 2>/dev/null || true; sleep 0.05; done
    ip netns add nat3
    ip link add under0 netns n3 type veth peer name inside netns nat3
    ip link add outside netns nat3 type veth peer name u3 netns hub
    ip -n hub link set u3 master br0 up
    ip -n nat3 link set inside up; ip -n nat3 link set outside up; ip -n n3 link set under0 up
    ip -n nat3 addr add 198.51.100.1/24 dev inside; ip -n nat3 addr add ${address}/24 dev outside
    ip -n n3 addr add ${PRIVATE}/24 dev under0; ip -n n3 route add default via 198.51.100.1
    ip netns exec nat3 sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward'
    ip netns exec nat3 nft 'add table ip nat; add chain ip nat post { type nat hook postrouting priority 100; }; add rule ip nat post oifname "outside" ip protocol udp masquerade to :${ports}'
  `);
}

export function removeNat(): void {
  sh('ip netns del nat3 2>/dev/null || true');
}
