/**
 * What the API server checks beside types and ranges: CEL rules, which stand at the zod schema that says the same and go from there
 * into the CRD (Kubernetes, "Validation rules"; `isCIDR` needs 1.31).
 */

export interface Rule {
  readonly rule: string;
  /** What is expected, in the words that the schema uses too. */
  readonly message: string;
  /** `.routing.podTable`: the field to blame, when it is not the one where the rule stands. */
  readonly fieldPath?: string;
  readonly reason?: 'FieldValueInvalid' | 'FieldValueRequired' | 'FieldValueForbidden';
}

/** For `.meta(...)` of a schema. */
export function rules(...list: readonly Rule[]): { readonly 'x-kubernetes-validations': readonly Rule[] } {
  return { 'x-kubernetes-validations': list };
}

/** `'it''s'` as CEL writes it. What goes in has no control characters. */
export function celText(text: string): string {
  return `'${text.replace(/[\\']/g, '\\$&')}'`;
}
