/** Whether a LabelSelector takes in an object, by its labels: as Kubernetes judges it (apimachinery, labels.Requirement). */
import type { Spec } from './schema.ts';

export type LabelSelector = NonNullable<Spec['nodeSelector']>;
export type Labels = Readonly<Record<string, string>>;

/** An empty selector takes in everything. */
export function selects(selector: LabelSelector, labels: Labels): boolean {
  const pairs = Object.entries(selector.matchLabels ?? {});
  return (
    pairs.every(([key, value]) => labelOf(labels, key) === value) &&
    (selector.matchExpressions ?? []).every((expression) => meets(expression, labels))
  );
}

type Expression = NonNullable<LabelSelector['matchExpressions']>[number];

/** `NotIn` takes in objects without the label too. */
function meets({ key, operator, values = [] }: Expression, labels: Labels): boolean {
  const value = labelOf(labels, key);
  switch (operator) {
    case 'In':
      return value !== undefined && values.includes(value);
    case 'NotIn':
      return value === undefined || !values.includes(value);
    case 'Exists':
      return value !== undefined;
    case 'DoesNotExist':
      return value === undefined;
  }
}

function labelOf(labels: Labels, key: string): string | undefined {
  return Object.hasOwn(labels, key) ? labels[key] : undefined;
}
