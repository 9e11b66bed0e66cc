/**
 * The words that carry meaning for the intent classifier, by class. Classes say what *kind* of act a verb is, so that a
 * verb which the training corpus never showed behaves like its class mates. A word in no list is an ordinary word.
 */

const words = (text: string): readonly string[] => text.trim().split(/\s+/)

/** Verbs by the kind of act they ask for. The first list that has a verb wins. */
export const VERBS = {
  takeover: words(
    'take_over step_into see_through inherit adopt seize steal overtake reclaim rescue revive relieve succeed',
  ),
  resume: words('continue resume carry_on pick_up go_on proceed left_off'),
  finish: words('finish complete finalize'),
  handoff: words(
    'hand_off hand_over wrap_up pass_on relinquish surrender yield log_off sign_off step_aside step_back stand_down bow_out hand_back clock_out log_out sign_out cede',
  ),
  release: words('release free return vacate unclaim give_up let_go unlock give_back'),
  help: words('help assist support aid unblock lend_hand complement back_up contribute help_out pair_up reinforce'),
  join: words(
    'join pair participate team_up collaborate cooperate co_work jump_in pitch_in chip_in step_in hop_on join_in swarm buddy_up double_up join_hands',
  ),
  delegate: words(
    'delegate assign reassign dispatch outsource offload allocate distribute farm_out hand_out fan_out recruit instruct spawn launch route orchestrate pawn_off enlist divvy share_out allot appoint nominate designate triage invite start_agent commission entrust parcel_out deal_out subcontract deputize rope_in bring_in redirect_to',
  ),
  cause: words('have let get ask tell make request message ping notify order send forward give hand pass put'),
  transfer: words('transfer turn_over'),
  divide: words('split divide share'),
  plan: words(
    'plan design architect estimate outline draft sketch brainstorm whiteboard storyboard wireframe envision think_up hash_out decompose break_down propose scope strategize roadmap prioritize specify spec recommend suggest think lay_out map_out work_out ideate devise formulate conceptualize map_out',
  ),
  review: words(
    'review audit critique criticize inspect proofread assess evaluate verify double_check sanity_check vet nitpick roast scrutinize go_over pentest qa rate grade comment_on criticise feedback ptal second_opinion once_over judge appraise eyeball dissect tear_apart weigh_in pick_apart poke_holes cross_check',
  ),
  explain: words('explain describe summarize elaborate clarify recap remind walk_through fill_in_me catch_up'),
  know: words('understand know learn see wonder figure_out find_out decide explore'),
  show: words('show list print display highlight count measure report'),
  look: words(
    'find locate look look_at look_for check search grep read trace investigate analyze analyse identify monitor watch observe compare diagnose browse scan detect spot point_out study research examine keep_an_eye follow_along keep_track look_around peek glance shadow fetch retrieve dig_up dig_into look_through',
  ),
  run: words('run execute rerun'),
  debug: words('debug troubleshoot'),
  edit: words(
    `add fix refactor rewrite convert create update delete move rename implement remove replace change edit modify write build
    generate bump upgrade downgrade migrate port translate install configure enable disable set_up setup wire_up wire hook hook_up
    integrate extract inline merge combine rebase commit push revert undo redo restore cherry-pick backport deploy ship publish tag
    clean_up clean cleanup simplify optimize optimise improve speed_up reduce increase decrease apply patch correct repair resolve
    solve rework restructure reorganize dockerize scaffold bootstrap init initialize seed regenerate format lint prettify style
    restyle center align hide validate sanitize escape encrypt hash memoize debounce throttle paginate sort cache log
    expose limit restrict prevent allow handle parse mock stub skip ignore silence pin drop strip trim wrap unwrap uncomment comment
    hardcode support extend expand swap switch toggle rip_out get_rid kill use carry_out turn_off turn_on turn_into set save store persist ensure
    make_sure document annotate type cover polyfill automate unify dedupe deduplicate consolidate separate decouple modularize
    introduce include append insert prepend attach connect bind link embed render redirect rate-limit harden secure tighten loosen
    adjust tweak tune polish finetune rearrange reorder resize shrink scale stabilize unbreak bring_back put_back squash amend bundle
    minify compress precompute parametrize parameterize localize internationalize instrument retry address tackle sort_out deal_with
    take_care substitute rollback roll_back fork vendor deprecate sync compile typecheck export import upload download provision
    mark flag animate round color default append_to plug code program develop craft produce close open adapt adopt_to
    fill populate normalize serialize deserialize encode decode filter group map flatten reset clear purge archive exclude unmount
    register subscribe emit trigger schedule queue batch stream benchmark profile override overwrite bypass guard enforce require
    accept reject respect tidy tidy_up neaten revamp overhaul redesign rewire reimplement containerize backfill nuke ditch yank flesh_out whip_up knock_out roll_out iron_out track_down hunt_down touch_up beef_up vectorize parallelize swap_out phase_out
    take_out take_down strip_out comment_out pull_out factor_out split_out stub_out hoist inject standardize harmonize recolor rephrase reword retitle relabel recompile recreate reinstall redeploy reformat reindex rebuild shorten lengthen lower raise cap bound truncate pad indent capitalize`,
  ),
} as const satisfies Record<string, readonly string[]>

export type VerbClass = keyof typeof VERBS

export const VERB_CLASSES: readonly VerbClass[] = [
  'takeover',
  'resume',
  'finish',
  'handoff',
  'release',
  'help',
  'join',
  'delegate',
  'cause',
  'transfer',
  'divide',
  'plan',
  'review',
  'explain',
  'know',
  'show',
  'look',
  'run',
  'debug',
  'edit',
]

/** Nouns that name a deliverable. They count only as the head of a phrase: in "plan page" the page is what is meant. */
export const NOUNS = {
  plan: words(
    'plan design spec specification proposal roadmap estimate rfc outline strategy architecture concept blueprint approach approaches options milestones requirements feasibility breakdown prd wbs timeline ideas idea one-pager pager way ways measures effort points todo checklist steps phases story stories epic',
  ),
  review: words(
    'review audit feedback critique opinion thoughts pr diff changes changeset lgtm nits findings mistakes inspection evaluation assessment judgement verdict remarks read-through',
  ),
  problem: words(
    'bug error crash failure issue problem exception regression typo leak race deadlock warning vulnerability stacktrace traceback violation defect fault gap inconsistency pitfall hole smell flaw',
  ),
  handoff: words('handoff handover baton torch notes note summary'),
  status: words('status progress overview news state tour summary recap explanation list'),
  artifact: words(
    'code pr prs diff patch commit commits changes implementation solution mr codebase function component query schema architecture work file module logic sql snippet class script',
  ),
  ui: words(
    `page screen dialog modal button buttons banner toast tooltip header footer sidebar navbar menu form field badge spinner dropdown table column
    row icon label card panel popup widget checkbox tab avatar logo layout css font color theme ui readme docs frontend homepage landing view
    endpoint api route middleware schema migration test tests config`,
  ),
  document: words('doc document study document criteria list tickets subtasks tasks plan stories map'),
  work: words(
    'work task job ticket branch run claim claims lock changes pr refactor files remainder rest reins wip stuff locks lock lease leases',
  ),
  help: words('assistance support aid backup relief'),
} as const satisfies Record<string, readonly string[]>

/** Adjectives and nouns with which somebody asks for a judgement. */
export const JUDGEMENTS: ReadonlySet<string> = new Set(
  words(
    `correct correctly properly safe secure good right ok okay sufficient clean ready wrong suspicious sane idiomatic readable maintainable efficient robust solid sound
    vulnerable scalable testable thread-safe weaknesses weakness flaws flaw smells smell holes security quality vulnerabilities mistakes
    bugs issues problems improvements concerns feedback best conventions guidelines standards improved better dodgy bad performant acceptable mergeable red flags bottlenecks secrets weak risky reasonable alright verdict fine sound enough risks risk
    safer cleaner worse nicer simpler fishy shady odd weird ugly embarrassing worthless useless pointless redundant brittle fragile unclear outdated confusing sloppy messy
    unreadable overengineered meaningful deviations inconsistencies mismatches gaps objections blockers regressions unique adequate appropriate trustworthy compliant`,
  ),
)

/** Words with which a fault is reported rather than asked about. */
export const FAULTS: ReadonlySet<string> = new Set(
  words(
    `broken fails failing failed fail crashes crash crashed broke wrong missing throws throwing blank empty undefined null 500 404 red error errors bug typo
    freezes hangs flickers overlaps misaligned doesnt isnt wont cant cannot stuck duplicated twice slow leak nan nothing never incorrect invalid
    disappears cut ignored forgot forgotten broke although instead unable timeout flaky warnings regression`,
  ),
)

/** What happened to somebody: stuck (help them), gone (take over), or busy. */
export const STATES = {
  stuck: words(
    'stuck blocked struggling struggles struggle waiting overloaded overwhelmed swamped busy behind fighting trouble unsure needs asked asking drowning lost',
  ),
  gone: words(
    'crashed crash died dead dying idle sick vacation unresponsive abandoned orphaned stalled stale hung froze frozen disconnected expired killed gone quit unfinished silent inactive interrupted timed leave offline vanished disappeared stopped parental unfinished half-finished half-done halfway incomplete unfinished died exhausted aborted gave missing ill left',
  ),
} as const satisfies Record<string, readonly string[]>

/** Coding agents by family name; a suffix (`codex-2`) is stripped before the look-up. */
export const AGENT_FAMILIES: ReadonlySet<string> = new Set(
  words(
    'codex claude opencode cursor gemini copilot aider cline windsurf devin chatgpt gpt jules qwen grok kiro goose amp roo kilo crush antigravity codey droid augment',
  ),
)

/** Nouns for somebody who can hold work. */
export const PARTY_NOUNS: ReadonlySet<string> = new Set(
  words(
    'agent agents subagent subagents sub-agent sub-agents teammate teammates colleague colleagues coworker coworkers co-worker buddy somebody someone team predecessor successor session sessions shift guys folks everyone everybody anyone anybody whoever owner worker-agent bot bots instance crew peer peers contractor intern instances dev devs developer developers',
  ),
)

/** Adjectives that, before a party noun, say which one is meant. */
export const PARTY_ADJECTIVES = {
  previous: words(
    'previous last prior former dead crashed stalled stuck old abandoned earlier interrupted hung expired killed stopped',
  ),
  next: words('next fresh new upcoming later following night day evening morning successor replacement'),
  other: words(
    'other another different second third idle available free specific separate remaining several multiple many few some each every all two three four five six various frontend backend front-end back-end design docs qa test testing database infra devops mobile web api ui security data platform background sub parallel busy running active suitable whichever any',
  ),
} as const satisfies Record<string, readonly string[]>

/** Skipped when looking for the head of a clause. */
export const FILLERS: ReadonlySet<string> = new Set(
  words(`please pls plz hey hi hello ok okay so now then just also and but well um uh uhm maybe kindly thanks thank thx great nice cool yes yeah yep
    no nope first firstly next finally lastly again alright right oh ah hmm quickly quick simply actually basically perhaps sorry dear
    great perfect awesome sure good btw fyi afterwards afterward after_that later once immediately asap urgent guys team there too
    honestly ultrathink lol bro dude man mate like literally really wait otherwise instead carefully or plus todo task feature bugfix`),
)

export const QUESTION_WORDS: ReadonlySet<string> = new Set(
  words('what why how where who when which whose whats wheres hows whos whom'),
)

export const AUXILIARIES: ReadonlySet<string> = new Set(
  words(
    'is are was were do does did can could should would will has have had am may might shall isnt doesnt didnt dont arent shouldnt',
  ),
)

/** Verbs that, negated, forbid editing ("don't change anything"). */
export const EDITING_WHEN_NEGATED: ReadonlySet<string> = new Set(
  words(
    'change edit modify touch fix code implement implementation coding write start execute apply do build refactor alter update commit push migrate move changes',
  ),
)

/** Real words one slip away from a cue word: never "corrected". */
export const NOT_TYPOS: ReadonlySet<string> = new Set(
  words(`preview planet plane plans plain explain reviewer reviewers planner planned assignee handler handled handles handle hand hands text
    tests testing asset assets contiguous locate located expert experts export explains spilt though thought through there their where
    were wheres adds odd added father form from formed port sport short sort shift write writer white while site side size live life
    line link like list lists last least lost cost most must post past paste taste state states stats stage start starts star
    stop shop ship shape share shared shard shards spare space store stored story string strong store helper helpers held hell hello
    shell spell well tell sell call cell fill file files fine find fined finds mind kind bind build built guild guide code codes core
    care case cast cash cache catch match batch patch path paths pass pay play plan plant clan clean clear close closes chose
    choose loose lose loss less lens lets left lift light right fight sight eight might night tight weight height thing think thank
    table cable able enable unable stable label level lever never even event events every very verb over cover covers hover mover
    moved moves more move remove removes used user users uses useful upper super paper page pages pager image merge merges large
    range change changes changed channel charge chance check checks checked chunk clock block blocks blocked black lock locks locked
    look looks looked book cook hook hooks took tool tools pool poll pull push full null rule rules role roles hole whole hold
    holder folder older order orders border broader reader header leader loader load loads loaded road read reads ready real reach
    react each teach tech test desk disk disc dish wish fish finish finnish final finally signal single simple sample example
    examples exact extract extracts except accept accepts expect expects expected inspect respect aspect report reports
    import imports important support supports supported sports reset resets rest test best west vest asks task tasks mask last
    fast cast east easy early yearly clearly nearly really reply replay relay delay decay deploy employ employee reploy queue queues
    quite quiet quote route routes router root boot foot food good mood word words work works worker workers world would could should
    sound round ground found pound bound hound mount count counts amount account accounts discount country counter country encounter
    latter letter better setter getter matter after alter later water waiter wait waits water master faster format formats
    formal normal former reform perform performs platform inform information hang hung hunt hint print prints sprint point points
    join joint coin coins resumes assume assumed assumes consume consumes consumer presume resource source sources course courses
    force forces enforce produce product products reduce reducer deduce induce introduce trace traces track tracks truck trick brick
    break breaks bread broad board boards aboard dashboard scoop scope scopes score scores screen script scripts scroll stroll
    control controls enroll patrol design designer designs resign align aligns assist assists insist consist exist exists
    refresh fresh flesh flash flush crush brush trash crash splash slash smash clash hash hashes cash wash bash dash rash
    audio audit edit edits editor editors credit credits debit exit exits unit units limit limits submit submits commits commit
    commute compute computer computes complete completed competes compare compares company prepare prepares repair repairs
    replace replaced replaces palace place places plate plates template templates late date dates data rate rates create creates
    update updates updated upgrade grade grades trade trades tree trees free frees three threw throw throws thrown grow grown
    grown known know knows now snow show shows shown slow slows low lower flow flows blow below follow follows allow allows
    hallow shallow swallow yellow fellow bellow notice notify node nodes mode modes model models modal modals medal metal
    total local vocal focal locale scale scales sale sales same some come comes home dome done gone bone one ones none note
    notes vote votes rote wrote write`),
)
