import { Option } from 'commander';
import type { Register } from '../command.ts';
import { addRolloutOptions } from '../rollout/options.ts';
import type { EnableFlags } from '../rollout/wish.ts';

const EXAMPLES = `
Examples:
  sheath enable --wait                       encrypt the cluster with WireGuard
  sheath enable --nodes pool=blue --wait     a first wave; widen it again and again
  sheath enable --strict --wait              then forbid all that is not encrypted
  sheath enable --dry-run                    what would be changed, and who could not
  sheath enable --encryption ipsec --wait    move a cluster from WireGuard to IPsec
  sheath enable --ipsec-profile fips         FIPS-approved algorithms only

Another driver than the cluster has is brought up beside it, with the next
generation, and traffic moves peer by peer, as in a rotation: no packet is lost.
It takes some minutes, and begins when no rotation is under way (--wait waits for
its end first). Nodes that cannot are named before anything is changed; with
--allow-partial they stay on the generation that they have, encrypted, and all
others hold both.

Connections that a CNI or kube-proxy masquerades (a client from outside through a
NodePort, for instance) break once when encryption is switched on or off;
rotations do not break them.

Exit codes: 0 done (with --wait: all is encrypted), 1 somebody is not, or cannot,
2 wrong usage, 3 the API server does not answer.`;

export const register: Register = (command, context) => {
  addRolloutOptions(
    command
      .addOption(
        new Option('--encryption <driver>', 'how; left out: as it is, or wireguard').choices([
          'wireguard',
          'ipsec',
        ]),
      )
      .option('--strict', 'then drop whatever is not encrypted, in both directions')
      .option('--permissive', 'let traffic without a tunnel pass again')
      .addOption(new Option('--scope <scope>', 'nodes: node-to-node traffic too').choices(['pods', 'nodes']))
      .option('--nodes <label=value,...>', 'which nodes take part; all: every node')
      .option('--cluster-prefixes <prefix,...>', 'the ranges that all pods come from: --strict needs them')
      .addOption(
        new Option('--ipsec-profile <profile>', 'which algorithms: fips has approved ones only').choices([
          'default',
          'fips',
          'post-quantum',
        ]),
      )
      .option('--ipsec-ike-proposals <proposal,...>', "in place of the profile's, with the next one")
      .option('--ipsec-esp-proposals <proposal,...>', "in place of the profile's")
      .option('--ipsec-lifetime <duration>', 'after which sessions are replaced')
      .option(
        '--allow-partial',
        'also when some nodes cannot: they stay as they are, in clear or with the driver they have',
      )
      .option('--dry-run', 'show what would be changed, and change nothing'),
  )
    .addHelpText('after', EXAMPLES)
    .action(async (flags: EnableFlags) => {
      const { enable } = await import('../rollout/enable.ts');
      await enable(flags, context);
    });
};
