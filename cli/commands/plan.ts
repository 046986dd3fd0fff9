import type { Register } from '../command.ts';
import { type OutputOptions, outputOption, render } from '../format/output.ts';
import { formatPlan } from '../format/plan.ts';
import { viewOf } from '../format/view.ts';
import { addSourceOptions, chooseSource, type SourceOptions } from '../sources/options.ts';

const EXAMPLES = `
Examples:
  sheath plan             what the agent of this node would change now
  sheath plan --cluster   what each node would hold of the others

'+' would be added, '~' changed, '-' removed; '!' is a claim that is refused.
Nothing is changed by asking.`;

export const register: Register = (command, context) => {
  addSourceOptions(command)
    .addOption(outputOption())
    .addHelpText('after', EXAMPLES)
    .action(async (options: OutputOptions & SourceOptions) => {
      const source = chooseSource(options);
      if (source.kind === 'cluster') {
        const { readCluster } = await import('../sources/cluster.ts');
        const { planOf, publishers } = await import('../sources/cluster-plan.ts');
        const { formatClusterPlan } = await import('../format/cluster.ts');
        const cluster = await readCluster(source, context);
        const plans = publishers(cluster).map(({ record }) => planOf(record, cluster));
        const text = (wide: boolean) => formatClusterPlan(plans, viewOf(context, { wide, now: cluster.now }));
        context.out.write(await render(plans, { output: options.output, text }));
        return;
      }
      const plan = await source.agent.plan();
      const text = (wide: boolean) => formatPlan(plan, viewOf(context, { wide, now: plan.now }));
      context.out.write(await render(plan, { output: options.output, text }));
    });
};
