/** The links that carry this node's own addresses, and the MTU that they leave for the tunnel. */
import { espMtu, tunnelMtu } from '../../mesh/mtu.ts';
import type { Address, DevicePlan, Family, MeshPlan } from '../../mesh/types.ts';
import { DEFAULT_ESP_SIZES, espSizesOf } from '../ipsec/esp-sizes.ts';
import type { Kernel } from '../kernel.ts';
import { familyOf } from '../netlink/ip.ts';
import type { Link } from '../netlink/types.ts';

/** Ethernet's, when no link carries an address of ours: behind NAT in a cloud, say. */
const USUAL_MTU = 1500;

export async function underlayLinks(
  ownAddresses: readonly Address[],
  kernel: Kernel,
): Promise<readonly Link[]> {
  const own = new Set<string>(ownAddresses);
  const indexes = new Set(
    (await kernel.addresses())
      .filter(({ address }) => own.has(address.split('/')[0] ?? ''))
      .map(({ index }) => index),
  );
  return (await kernel.links()).filter(({ index }) => indexes.has(index));
}

export async function deviceMtu(device: DevicePlan, plan: MeshPlan, kernel: Kernel): Promise<number> {
  if (device.mtu !== 'auto') return device.mtu;
  const links = await underlayLinks(plan.ownAddresses, kernel);
  const smallest = Math.min(...links.map(({ mtu }) => mtu), ...(links.length === 0 ? [USUAL_MTU] : []));
  // By our own addresses, not by the peers we know at the moment: one that joins must not change everybody's MTU.
  const outer = new Set(plan.ownAddresses.map(familyOf));
  const inner = new Set([...device.addresses, ...plan.ownPrefixes].map(familyOf));
  const inside: Iterable<Family> = inner.size === 0 ? [4, 6] : inner;
  if (device.driver === 'wireguard') return tunnelMtu(smallest, outer, inside);
  const sizes = device.espProposals === undefined ? DEFAULT_ESP_SIZES : espSizesOf(device.espProposals);
  return espMtu(smallest, { outer, inner: inside, sizes });
}
