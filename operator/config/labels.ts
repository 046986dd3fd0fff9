/** A LabelSelector (meta/v1), as strict as the API server is with labels. */
import * as z from 'zod';
import { celText, rules } from './rules.ts';

const NAME = '[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?';
const SUBDOMAIN = '[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*';
const KEY = `^(${SUBDOMAIN}/)?${NAME}$`;
const VALUE = `^(${NAME})?$`;
const KEY_SIZE = 253 + 1 + 63;
const VALUE_SIZE = 63;
const MOST = 64;

const KEY_EXPECTED = 'expected the key of a label, like topology.kubernetes.io/zone';
const VALUE_EXPECTED =
  'expected the value of a label: at most 63 letters, digits, - _ and dots, a letter or digit at both ends';

const matching = (pattern: string, size: number, message: string) =>
  z
    .string({ error: message })
    .max(size, { error: message })
    .refine((text) => new RegExp(pattern).test(text), { error: message })
    .meta(rules({ rule: `self.matches(${celText(pattern)})`, message }));

const labelKey = matching(KEY, KEY_SIZE, KEY_EXPECTED);
const labelValue = matching(VALUE, VALUE_SIZE, VALUE_EXPECTED);

const isSetOperator = (operator: string) => operator === 'In' || operator === 'NotIn';
const VALUES_EXPECTED = 'values belong to In and NotIn, which need one at least';

const expression = z
  .strictObject({
    key: labelKey.describe('The key of the label'),
    operator: z.enum(['In', 'NotIn', 'Exists', 'DoesNotExist']).describe('How it is judged'),
    values: z.array(labelValue).max(MOST).optional().describe('The values of In and NotIn'),
  })
  .refine(({ operator, values = [] }) => isSetOperator(operator) === values.length > 0, {
    error: VALUES_EXPECTED,
    path: ['values'],
  })
  .meta(
    rules({
      rule: "(self.operator in ['In', 'NotIn']) == (has(self.values) && size(self.values) > 0)",
      message: VALUES_EXPECTED,
      fieldPath: '.values',
    }),
  );

export const labelSelectorSchema = z
  .strictObject({
    matchLabels: z
      .record(labelKey, labelValue)
      .refine((labels) => Object.keys(labels).length <= MOST, { error: `at most ${MOST} labels` })
      .meta({
        maxProperties: MOST,
        ...rules({
          rule: `self.all(key, size(key) <= ${KEY_SIZE} && key.matches(${celText(KEY)}))`,
          message: KEY_EXPECTED,
        }),
      })
      .optional()
      .describe('Labels that a Node must all have'),
    matchExpressions: z
      .array(expression)
      .max(MOST)
      .optional()
      .describe('Requirements that a Node must all meet'),
  })
  .meta({ 'x-kubernetes-map-type': 'atomic' });

/** The name of a Node, and of nearly every other object (RFC 1123). */
export const nodeNameSchema = matching(`^${SUBDOMAIN}$`, 253, 'expected the name of a Node');
