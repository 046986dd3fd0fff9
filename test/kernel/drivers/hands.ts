/** What another hand takes away of a driver's tunnels on the first machine, with the generation 7. */
import { publicKey } from '../../tunnels/states.ts';
import type { Driver, DriverMesh } from './mesh.ts';

export interface Hand {
  readonly what: string;
  readonly script: (mesh: DriverMesh) => string;
  /** `set` says that it put it back; otherwise the driver does it by itself. */
  readonly told: boolean;
}

const BOTH: readonly Hand[] = [
  { what: 'the device', script: () => 'ip link del sheath1', told: true },
  { what: 'all routes', script: () => 'ip route flush table 51830', told: true },
];

const swanctl = (mesh: DriverMesh, command: string) =>
  `swanctl ${command} --uri unix://${mesh.at(1).folder}/ipsec/charon.vici`;

export const HANDS: Readonly<Record<Driver, readonly Hand[]>> = {
  wireguard: [
    ...BOTH,
    { what: 'a peer', script: () => `wg set sheath1 peer ${publicKey(207)} remove`, told: true },
    {
      what: 'the prefixes of a peer',
      script: () => `wg set sheath1 peer ${publicKey(207)} allowed-ips 10.99.0.0/24`,
      told: true,
    },
    { what: 'the key', script: () => 'wg set sheath1 private-key /dev/null', told: true },
  ],
  ipsec: [
    ...BOTH,
    {
      what: 'the policies of what is sent and forwarded',
      script: () => 'ip xfrm policy deleteall dir out; ip xfrm policy deleteall dir fwd',
      told: true,
    },
    {
      what: "charon's connections",
      script: (mesh) => swanctl(mesh, '--load-conns --file /dev/null'),
      told: true,
    },
    {
      what: 'a session, as charon ends it',
      script: (mesh) =>
        ['a', 'b']
          .map((slot) => `${swanctl(mesh, `--terminate --ike sheath-7-${slot}-n2 --force`)} || true`)
          .join('; '),
      told: false,
    },
    { what: 'all states', script: () => 'ip xfrm state flush', told: false },
  ],
};

/** Of others, and of the drivers' own kinds: it stays as it is. */
export const FOREIGN = `
  ip link add foreign0 type wireguard; ip link add foreign1 type xfrm dev lo if_id 77
  ip xfrm policy add src 203.0.113.0/24 dst 198.51.100.0/24 dir in if_id 77 \\
    tmpl src 198.51.100.1 dst 192.0.2.1 proto esp reqid 42 mode tunnel
`;
