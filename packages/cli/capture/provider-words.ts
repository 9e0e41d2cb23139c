/**
 * Words of which GitHub's names of actions, fields and states consist (its documentation's list of audit actions, its bodies and
 * records). They stay where such a name must stand, and nowhere else: a login may be one of them.
 */
export const providerWords: ReadonlySet<string> = new Set(
  `
abort abuse accept access account act acting action actions active actor actors add added admin administration
administrators admins advanced advisory agent agreement ai alert alerts all allow allowances allowed allowlist
allows always amount analysis and announcement anonymous api app appeared application applied approval approvals
approve approved approving apps archive archived arm arm64 artifact as assign assigned assignment assignments async
at attempt attempted audit authentication authority authorization authorize authorized auto autofix automatic
autosubmit azure bad base became bill billing block blocked blocking bot branch branches broadcast budget build
business by bypass cache can cancel cancelled capped category center certificate cfb challenge change changed
changes check checks checksum claim classic clear cleared clickwrap client clone close closed closure cname code
codeql codes codespaces collaborator collaborators comment commented commenter commit complete completed conclusion
conditions config configuration configure confirm connect content contents context contexts contributions
contributor contributors conversation convert converted copilot correct cost count country coverage create created
creation credential credentials credit custom customer cve cycle dashboard date day deauthorize debug decline
default definition delegated delete deleted deletes deletion deletions delist delivery demote denied deny dependabot
dependencies dependency deploy deployments deprovision dequeued description destroy developer device disable
disabled disallowed disclosure discovery discussion discussions disk dismiss dismissal dispatch display document
domain done downgrade download downloaded draft dry edit edited email emu enable enabled enablement enforced
enforcement enterprise entitlee entity entries entry environment error evaluate evaluation event events everyone
exceeded exclude exclusion exempt expiration expire expires export extended external factor failed failure fallback
false fast fetch field file findings fine fingerprint firewall first fiscal fix fixed flag flow followed followup
for force forgot fork forking forward from full funding generate generated generic gist git github gpg grained grant
granted graph group hashed head header hide history hook host hosted http https id identity idp ids ignore image
images immutable import impossible in inactive include indirect insecure insights installation installed
instructions integer integration internal invitation invite invitee invites invoiced ip is isolate issue issues jit
job join json jump key knowledge label labeled labels large last leak leaked level license limit limited linear link
linked links linux list listed listing location lock lockdown log login logout logs lookup macos maintain maintainer
malformed malware management manager mannequin mapping mark marketplace maximum mcp member members memory merge
message metadata metered method methods metrics migration milestoned minimize missing mode models moderators modify
multi name nameid names namespace negate network new newsletter noindex non none not notification number oauth of
off offline oidc okta old on online only open opened operation operator opt org organization organizations out
outdated outgoing outside overage overridden override overview owner owners ownership package packages pages
parameters parent partial party passed passkey password path patreon pattern patterns payment pending permission
permissions personal picture pin pinned plan planned policy port positive post pr prebuild preference premium
prepared previous printed privacy private privatized profile programmatic progress project projects promote
properties property protected protection protocol provider provision proxy public publicized publicly publish
published pull push pushes quality queue queued rate reached read reader ready reappeared reasons rebase recover
recovery recreate redirect redraft ref refreshed refused regenerate regenerated register registry reinstated
reintroduce reject rejected releases remove removed rename renamed reopen reopened reply repo report reporting repos
repositories repository request requested requests require required requirement rerun reset resolution resolve
resolved resource response restore restrict restricted restriction restrictions resume retention retire reused
review reviews revoke revoked risk role roles rule rules ruleset run runner runners saml sandbox save scale scan
scanning schedule scheduled scim scopes seat seats secret secrets security selected self send sent server service
session set setting settings sha shape show sign signature signatures signing signup single skip skipped slug sms
social sockpuppet soft source sponsor sponsored sponsors sponsorship ssh ssl sso staff stale start started state
status stop storage stream streaming strict sub submit submitted subscription success successor support suspend swe
sync synchronize tag target team teams temporary tenant terms tests third thread threshold tier time timer timestamp
title to toggle token tokens tolerance too tools topic totp transfer transferred transform transport triage trial
trigger triggered trusted two type unaffiliated unarchive unarchived unassign unassigned unassignment unblock
unblocked unclaimed unexpected unknown unlabeled unlink unlinked unlock unlocked unminimize unpin unpinned
unrecognized unsatisfied unset unsuspend unverification unverify update updated updates upgrade url usage used user
username users validate validated validity value values variable verification verified verify version view viewed
violation visibility visiblity vulnerability waitlist warn warning web webauthn webhooks welcome wide windows
wont workflow workflows write x64 zip
`
    .split(/\s+/)
    .filter(Boolean),
);
