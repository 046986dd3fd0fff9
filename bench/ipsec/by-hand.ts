/** The reference: the same sessions, by a `swanctl.conf` that a person would write, `swanctl --load-all`, `ip -batch` and `nft -f`. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, openSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { PublicKey } from '../../keys/generation.ts';
import type { MeshPlan, PeerPlan } from '../../mesh/types.ts';
import { identity, interfaceId } from '../../tunnels/ipsec/connection.ts';
import { privateKeyDer, publicKeyDer } from '../../tunnels/ipsec/key-encoding.ts';
import { DEFAULT_IPSEC, REPLAY_WINDOW } from '../../tunnels/ipsec/settings.ts';
import { nodeName, SELF } from '../cluster.ts';
import { sh } from '../machine.ts';
import { CharonProcess } from './charon-process.ts';
import { GENERATION, ipsecPrivateKey, ipsecPublicKey } from './cluster.ts';

export interface Files {
  /** Of `ip -batch`, `ip -4 -batch`, `ip -6 -batch`. */
  readonly routes: string;
  readonly rules: readonly [string, string];
  /** Of `nft -f`. */
  readonly firewall: string | undefined;
}

export class IpsecByHand {
  readonly #folder: string;
  readonly #files: Files;
  readonly #charon: CharonProcess;

  /** Writes the files; that is not part of what is timed. */
  constructor(plan: MeshPlan, folder: string, files: Files) {
    this.#folder = folder;
    this.#files = files;
    this.#charon = new CharonProcess({ folder });
    for (const sub of ['keys', 'private']) mkdirSync(path.join(folder, sub), { recursive: true });
    this.#write('private/self.der', privateKeyDer(ipsecPrivateKey(SELF)));
    this.#write('keys/self.der', publicKeyDer(ipsecPublicKey(SELF)));
    for (const { node, links } of plan.peers) {
      for (const { publicKey } of links) this.#write(`keys/${node}.der`, publicKeyDer(publicKey));
    }
    this.#write('swanctl.conf', swanctlConf(plan, path.join(folder, 'keys')));
  }

  get pid(): number {
    return this.#charon.pid;
  }

  /** Returns when all is loaded; charon goes on with making the sessions. */
  async bringUp(): Promise<void> {
    sh(`ip link add sheath1 type xfrm dev lo if_id ${interfaceId(GENERATION)}
        ip link set sheath1 mtu 1400 up`);
    await this.#charon.start();
    sh(`ip -batch ${this.#files.routes}
        ip -4 -batch ${this.#files.rules[0]}
        ip -6 -batch ${this.#files.rules[1]}
        ${this.#files.firewall === undefined ? '' : `nft -f ${this.#files.firewall}`}`);
    const log = openSync(path.join(this.#folder, 'swanctl.log'), 'w');
    const load = spawn('swanctl', ['--load-all', '--uri', `unix://${this.#charon.socket}`], {
      env: { ...process.env, SWANCTL_DIR: this.#folder },
      stdio: ['ignore', log, log],
    });
    const [code] = (await once(load, 'exit')) as [number];
    if (code !== 0) throw new Error(`swanctl --load-all ended with ${code}: see ${this.#folder}/swanctl.log`);
  }

  stop(): Promise<void> {
    return this.#charon.kill();
  }

  #write(name: string, content: string | Buffer): void {
    writeFileSync(path.join(this.#folder, name), content, { mode: 0o600 });
  }
}

/** @param keys folder of public keys: not swanctl's own, all of which charon would search for each session */
function swanctlConf(plan: MeshPlan, keys: string): string {
  const [local = ''] = plan.ownAddresses;
  const { ikeProposals, lifetimes, dpd } = DEFAULT_IPSEC;
  const connections = plan.peers.flatMap((peer) =>
    peer.links.map(
      ({ publicKey }) => `
  ${peer.node} {
    version = 2
    local_addrs = ${local}
    remote_addrs = ${peer.endpoint}
    proposals = ${ikeProposals.join(',')}
    mobike = no
    unique = never
    dpd_delay = ${dpd}s
    send_certreq = no
    send_cert = never
    rekey_time = ${lifetimes.ike}s
    local {
      auth = pubkey
      id = "fqdn:${identityOf(nodeName(SELF), ipsecPublicKey(SELF))}"
      pubkeys = ${keys}/self.der
    }
    remote {
      auth = pubkey
      id = "fqdn:${identityOf(peer.node, publicKey)}"
      pubkeys = ${keys}/${peer.node}.der
    }
    children {${childConf(peer, plan)}
    }
  }`,
    ),
  );
  return `connections {${connections.join('')}\n}\n`;
}

/** The slot that is used first. */
const identityOf = (node: string, publicKey: PublicKey) =>
  identity({ generation: GENERATION, slot: 'a', node, publicKey });

function childConf({ allowedIPs }: PeerPlan, { routing }: MeshPlan): string {
  const { espProposals, lifetimes } = DEFAULT_IPSEC;
  const { mark, mask } = routing.fwmark;
  const id = interfaceId(GENERATION);
  return `
      net {
        local_ts = 0.0.0.0/0,::/0
        remote_ts = ${allowedIPs.join(',')}
        esp_proposals = ${espProposals.join(',')}
        if_id_in = ${id}
        if_id_out = ${id}
        set_mark_out = ${mark}/${mask}
        replay_window = ${REPLAY_WINDOW}
        rekey_time = ${lifetimes.child}s
        start_action = start
      }`;
}
