/** What is outside of the part of Sigma that is read here. The message says what, in words for whoever wrote the rule. */
export class Refused extends Error {
  override name = 'Refused';
}
