import { Option } from 'commander';
import type { Register } from '../command.ts';
import type { EnableFlags } from '../rollout/enable.ts';
import { addRolloutOptions } from '../rollout/options.ts';

const EXAMPLES = `
Examples:
  sheath enable --wait                       encrypt the cluster with WireGuard
  sheath enable --nodes pool=blue --wait     a first wave; widen it again and again
  sheath enable --strict --wait              then forbid all that is not encrypted
  sheath enable --dry-run                    what would be changed, and who could not

Connections that a CNI or kube-proxy masquerades (a client from outside through a
NodePort, for instance) break once when encryption is switched on or off;
rotations do not break them.

Exit codes: 0 done (with --wait: all is encrypted), 1 somebody is not, or cannot,
2 wrong usage, 3 the API server does not answer.`;

export const register: Register = (command, context) => {
  addRolloutOptions(
    command
      .addOption(
        new Option('--encryption <driver>', 'how').choices(['wireguard', 'ipsec']).default('wireguard'),
      )
      .option('--strict', 'then drop whatever is not encrypted, in both directions')
      .option('--permissive', 'let traffic without a tunnel pass again')
      .addOption(new Option('--scope <scope>', 'nodes: node-to-node traffic too').choices(['pods', 'nodes']))
      .option('--nodes <label=value,...>', 'which nodes take part; all: every node')
      .option('--cluster-prefixes <prefix,...>', 'the ranges that all pods come from: --strict needs them')
      .option('--allow-partial', 'also when some nodes cannot take part: they count as having no tunnel')
      .option('--dry-run', 'show what would be changed, and change nothing'),
  )
    .addHelpText('after', EXAMPLES)
    .action(async (flags: EnableFlags) => {
      const { enable } = await import('../rollout/enable.ts');
      await enable(flags, context);
    });
};
