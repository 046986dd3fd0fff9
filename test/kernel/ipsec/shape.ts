/** The desired states of `test/tunnels/states.ts`, with some of their generations on IPsec. */
import { ed25519PublicKey } from '../../../keys/ed25519.ts';
import type { Address, MeshPlan, PeerPlan, Prefix } from '../../../mesh/types.ts';
import type { DesiredState } from '../../../tunnels/dataplane.ts';
import { desired, type MeshShape, privateKey } from '../../tunnels/states.ts';

export interface IpsecShape extends MeshShape {
  readonly wireguard?: readonly number[];
  /** Prefixes that peers have beside their own, by number. */
  readonly more?: Readonly<Record<number, readonly string[]>>;
  /** Peers whose key is another's: by number, whose. */
  readonly stolen?: Readonly<Record<number, number>>;
  readonly restart?: readonly string[];
  /** Where peers are reached, when that is not their own address: by number. */
  readonly reachedAt?: Readonly<Record<number, string>>;
  /** What may be negotiated, for the MTU of the devices. */
  readonly espProposals?: readonly string[];
  /** What else the plan says: `mode`, say. */
  readonly plan?: Partial<MeshPlan>;
}

export function ipsecDesired(shape: IpsecShape): DesiredState {
  const state = desired(shape, shape.restart === undefined ? {} : { restart: shape.restart });
  return { ...state, plan: onIpsec(state.plan, shape) };
}

function onIpsec(plan: MeshPlan, shape: IpsecShape): MeshPlan {
  const isIpsec = (generation: number) => !(shape.wireguard ?? []).includes(generation);
  const esp = shape.espProposals === undefined ? {} : { espProposals: shape.espProposals };
  return {
    ...plan,
    ...shape.plan,
    encryption: 'ipsec',
    devices: plan.devices.map((device) =>
      isIpsec(device.generation) ? { ...device, ...esp, driver: 'ipsec', port: 0 } : device,
    ),
    peers: plan.peers.map((peer) => onePeer(peer, shape, isIpsec)),
  };
}

function onePeer(peer: PeerPlan, shape: IpsecShape, isIpsec: (generation: number) => boolean): PeerPlan {
  const number = Number(peer.node.slice(1));
  const more = (shape.more?.[number] ?? []) as readonly Prefix[];
  const owner = shape.stolen?.[number] ?? number;
  const endpoint = shape.reachedAt?.[number] as Address | undefined;
  return {
    ...peer,
    ...(endpoint === undefined ? {} : { endpoint }),
    allowedIPs: [...peer.allowedIPs, ...more],
    links: peer.links.map((link) =>
      isIpsec(link.generation)
        ? {
            ...link,
            driver: 'ipsec',
            port: 0,
            publicKey: ed25519PublicKey(privateKey(owner * 100 + link.generation)),
          }
        : link,
    ),
  };
}
