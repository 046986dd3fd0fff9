/**
 * Who is where in a lab; pure.
 *
 *   pod 10.244.1.2 ── cni0 10.244.1.1 │ node n1 │ eth0 192.0.2.11 ──┐
 *   pod 10.244.2.2 ── cni0 10.244.2.1 │ node n2 │ eth0 192.0.2.12 ──┼── wire: bridge br0 192.0.2.1, the API server
 *   pod 10.244.3.2 ── cni0 10.244.3.1 │ node n3 │ eth0 192.0.2.13 ──┘
 *
 * Every name is a network namespace of its own. Between the nodes stand the routes a host-gw CNI would set.
 */
import { LabError } from '../errors.ts';

export interface LabShape {
  /** Namespaces are called `sheath.NAME.…`. */
  readonly name: string;
  readonly nodes: number;
  /** Pods a node. */
  readonly pods: number;
  /** Both families, or IPv4 alone. */
  readonly ipv6: boolean;
  /** IPv6 alone where it is false, and there is IPv6. */
  readonly ipv4?: boolean | undefined;
}

export interface LabPod {
  /** `n1-p1`. */
  readonly name: string;
  readonly netns: string;
  readonly node: string;
  /** IPv4 first, then IPv6, as far as the lab has them; so in all of these. */
  readonly addresses: readonly string[];
}

export interface LabNode {
  /** `n1`. */
  readonly name: string;
  readonly netns: string;
  readonly addresses: readonly string[];
  readonly podCIDRs: readonly string[];
  /** Addresses of `cni0`, where its pods send everything. */
  readonly gateways: readonly string[];
  readonly pods: readonly LabPod[];
}

export interface Topology extends LabShape {
  /** Namespace of the underlay. */
  readonly wire: string;
  readonly wireAddresses: readonly string[];
  readonly members: readonly LabNode[];
}

/** The last octet of a node's address is this plus its number. */
const FIRST_NODE = 10;
const MOST_NODES = 200;
const MOST_PODS = 100;
export const API_PORT = 6443;

/** Throws `LabError` for a name or size that no lab can have. */
export function topology(shape: LabShape): Topology {
  if (!/^[a-z0-9]{1,12}$/.test(shape.name)) {
    throw new LabError('LAB_NAME_INVALID', `"${shape.name}" is no name for a lab: 1 to 12 of a-z and 0-9`);
  }
  for (const [what, count, most] of [
    ['nodes', shape.nodes, MOST_NODES],
    ['pods', shape.pods, MOST_PODS],
  ] as const) {
    if (!Number.isInteger(count) || count < 1 || count > most) {
      throw new LabError('LAB_NAME_INVALID', `a lab has 1 to ${most} ${what}, not ${count}`);
    }
  }
  const families = <T>(v4: T, v6: T): readonly T[] => {
    if (!shape.ipv6) return [v4];
    return shape.ipv4 === false ? [v6] : [v4, v6];
  };
  const prefix = namespacePrefix(shape.name);
  const members = Array.from({ length: shape.nodes }, (_, index): LabNode => {
    const k = index + 1;
    const name = `n${k}`;
    const pods = Array.from({ length: shape.pods }, (_, podIndex): LabPod => {
      const podName = `${name}-p${podIndex + 1}`;
      const host = podIndex + 2;
      return {
        name: podName,
        netns: prefix + podName,
        node: name,
        addresses: families(`10.244.${k}.${host}`, `fd00:10:244:${hex(k)}::${hex(host)}`),
      };
    });
    return {
      name,
      netns: prefix + name,
      // The decimal digits are written as they are: n2 is ::12 as well as .12.
      addresses: families(`192.0.2.${FIRST_NODE + k}`, `2001:db8::${FIRST_NODE + k}`),
      podCIDRs: families(`10.244.${k}.0/24`, `fd00:10:244:${hex(k)}::/64`),
      gateways: families(`10.244.${k}.1`, `fd00:10:244:${hex(k)}::1`),
      pods,
    };
  });
  return { ...shape, wire: `${prefix}wire`, wireAddresses: families('192.0.2.1', '2001:db8::1'), members };
}

export function namespacePrefix(name: string): string {
  return `sheath.${name}.`;
}

function hex(value: number): string {
  return value.toString(16);
}
