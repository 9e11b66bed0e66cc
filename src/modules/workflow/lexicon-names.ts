/**
 * Names of people, for telling who holds work from what the work is about. A name that is not here is still read where
 * the grammar says so ("ask Xochitl to …"); what is only ever a product, a place or a day is listed so that it is not.
 */

const words = (text: string): ReadonlySet<string> => new Set(text.trim().split(/\s+/))

/** Names that are nothing else, however they are written. */
export const FIRST_NAMES = words(`
    alice bob carol carlos dave david dan daniel eve heidi ivan judy mallory oscar peggy tom tim tina maria mary john
    jane jenna jen jenny jennifer sarah sara sam samuel samantha peter pedro paul paula pablo anna ana anne annie ann
    andrea andreas andrew alex alexandra alexander ali ahmed amir amy amit ananya anil anita arjun arthur ben benjamin
    bernd brian bruno chris christian christina claire claudia clara diego dimitri dmitri elena eli elias elif emma
    emily emil eric erik erika eva fatima felix fernando filip florian francesca francois gabriel george giulia greg
    hannah hans harry hassan helen helena henry hiro hugo ian igor ingrid isabel jack jacob jake james jan jason
    javier jens jessica jim jin joe joao johan johannes jonas jorge jose josh juan julia julian julie kai karen karl
    karim kate katie katja kenji kevin klaus kim kumar lara lars laura lea lee lena leo leon lewis linda lisa liu
    louis lucas lucia luis luisa lukas luke manuel marc marco marcus mariana mario markus marta martin matt matteo
    matthew mehmet mei michael michelle miguel mike mila mohammed mohamed monica nadia natalia natasha neha nick
    nicolas nina nikita noah nora olaf olga oliver olivia omar pat patricia patrick petra philip pierre priya rachel
    raj rajesh ravi rebecca ricardo rita robert roberto rob robin ron rosa ryan sanjay santiago sebastian sergey
    sergio shreya simon sofia sophie stefan stella steve steven susan sven takeshi tariq tatiana thomas tobias tony
    valentina vera victor viktor vijay vikram wei william xavier xin yan yuki yusuf yara zara zoe mateusz piotr pawel
    kasia agnieszka bjorn astrid freya soren mads nils ulrike uwe jurgen aaron abdul abigail adam adele adrian agnes
    agustin ahmad aidan aiko aisha akira akshay alan albert alberto alejandra alejandro alena alessandra alessandro
    alexei alexey alfonso alfred alina aline alisa alison allan allen alma alvaro amanda amelia amina amira anastasia
    anders andre andrei andres andrzej angela angelina angelo anja anke anjali ankit annika anton antonia antonio anya
    arash ariel arif arjen armin arnaud arno artem arturo arya asha ashley ashok aurora ava ayesha aylin barbara bart
    bastian bea beata beatrice becky bella benedikt benoit berta bess beth bianca bilal birgit bjarne bogdan boris
    brandon brenda brent bridget britta bruce bryan caleb cameron camila camille carina carla carlo carmen carolina
    caroline cathy catherine cecilia cedric celia cesar chad chandra charles charlie charlotte chen chiara chloe
    christine christoph christopher cindy claus clement colin connor constantin corinne cristian cristina cynthia
    cyril dalia damian damien dana daniela daniele danny daria darius deborah deepak denis denise dennis derek devi
    dieter dinesh dirk dmitry dolores dominic dominik donald donna dora doris dorota dorothy doug douglas duncan dylan
    ebba eduardo edward edwin eileen ekaterina elaine eleanor eleni elisa elisabeth eliza elizabeth ella ellen elliot
    elodie elsa elvira emilia emilio emre enrico enrique ernesto esra esther ethan eugene evan evelyn ewa fabian fabio
    fabrice farah farid farouk fatih federico felicia felipe fiona flavia flora floris franz franziska frederik
    frederic frida fritz gabriela gabriele gareth gary gavin geert gerald gerard gerhard gernot gianluca gilbert gina
    giovanni gisela gleb gloria gonzalo gordon graham gregor guido guillaume gunnar gustav gustavo hakan hamza hana
    hanna harald harold harriet haruka hector heike heiko heinz helga hendrik henri henrik herbert hilda hiroshi
    holger howard hubert huda hussein ibrahim ida ignacio ilaria ilona ilse ilya imran ines inga inge ingo irene irina
    isaac isabella isabelle isha ismail itai ivana ivo jaap jackie jacqueline jacques jakob jakub jamal jamie janet
    janine janos jared jarek jaroslav jasper javed jean jeff jeffrey jelena jeremy jerome jerry jesper jesse jill
    joana joanna joanne joaquin jochen joel johann johanna johnny jolanda jon jonathan joris josef josefina joseph
    joshua joyce juliana julio justin justyna jutta kamal kamil kamila karin karina karsten kathrin katrin katarina
    katherine kathleen kathy katrina keiko keith kelly ken kerstin khalid kieran kimberly kiran kirsten klara koen
    konrad kristian kristina kristin krzysztof kurt kyle lana larissa larry lasse laszlo laurent lauren laurence lech
    leila lennart leonard leonardo leonie leonora leroy leslie lidia lilia lilian lilly lina lionel lisbeth liv liz
    lorena lorenzo lothar louise luc luca lucie luciana luciano lucy ludwig luigi luiza lukasz luz lydia lynn maarten
    maciej maddie madison magda magdalena magnus mahmoud maja malik malte manfred mandy mara marcel marcelo marcin
    margaret margarita margot marianne marie marija marijke marina marion marisa marius marjan marlene marlon marthe
    martina marwan masha massimo mateo mathias mathieu mathilde matthias maureen maurice mauricio maxim maxime maya
    megan mehdi melanie melissa mercedes merve meryem mia micha michal michele mihai mikael mikhail milan milena milos
    mira miriam mirko mitch moe mohamad moira moritz morten moses murat mustafa nabil nadine naomi nathalie nathan
    nathaniel natalie nelly nelson nicholas nicole nicola niels nigel niklas niko nikhil nikola nisha noel noemi
    norbert norman nuno odette ola oleg oleksandr olena olivier ondrej oskar oswald otto paolo parisa pascal patrizia
    patrik paulina paulo pavel penelope petr petar philippe phil philipp pia pilar pim pooja prakash pranav preeti
    quentin rafael rafal rahul raimund rainer ralf ralph ramon randy rania raphael rashid raul raymond regina reiner
    remi renata rene renee reza rhea richard rick riku rina roberta rocio rodrigo roger roland rolf romain ronald
    ronja rosalie rosario rosie roxana roy rudolf ruben rui rune ruth sabine sabrina sally salma salvador sami samir
    sandra sanna sascha sasha saskia saul scott sean selim selma serge shane shannon sharon shaun shawn sheila shirley
    sibel sigrid silke silvia simone simona sina siobhan slava sofie solomon sonia sonja sophia soraya stan stanislav
    stephan stephanie stephen stuart sunil suresh susana susanne svetlana swati sylvain sylvia szymon tamara tanja
    tanya tara tatjana ted teresa terry theo theodor theresa therese thijs thorsten tiago tiffany tilda timo timothy
    tobi todd tomas tomasz tommaso toni torsten tracy trevor tristan troy tuomas uma umar ursula uta vadim valentin
    valeria valerie vanessa vasily veronica veronika vicky vincent vincenzo violeta virginia vitaly vivian vivek
    vladimir volker wanda walter waltraud wendy werner wilhelm willem wim wojciech wolfgang xavi yana yannick yash
    yasmin yasmine yolanda younes yuri yusuke yvette yvonne zach zachary zeynep zuzana farhan amara chidi emeka ngozi
    kwame kofi thabo sipho lindiwe tunde wanjiru juma minh linh nguyen thanh anh hoang jiwoo minjun seojun haruto
    sakura hui jing xiao feng
`)

/** Names that are words too: read as names only with a capital inside a sentence. */
export const CAPITAL_NAMES = words(`
    max will mark art bill grace rose drew chase ren ling lei penny ivy ruby amber jade violet olive dawn sue dot
    chuck miles dean hope faith joy sunny sky ray gene cliff rich sandy rusty kit buddy angel ama till per peer pearl
    august austin aria axel jordan brooke viola ole said mina ada roman rio lance grant wade reed chip clay cody duke
    earl ford glen hunter jasmine april may june summer autumn harmony crystal opal scarlet sage hazel heather holly
    ginger rain river storm star gale don lin
`)

/** Written with a capital, and nobody. */
export const NOT_PEOPLE = words(`
    windows linux mac macos ubuntu debian alpine safari chrome firefox edge android ios iphone ipad node deno bun
    react vue angular svelte next nuxt remix astro express fastify hono nest koa rails django flask laravel spring
    postgres postgresql mysql sqlite mongo mongodb redis kafka rabbitmq nats elastic elasticsearch opensearch
    cassandra dynamo snowflake bigquery docker kubernetes helm terraform ansible jenkins github gitlab bitbucket jira
    confluence slack teams discord stripe paypal twilio sendgrid mailgun google microsoft apple amazon aws azure gcp
    cloudflare vercel netlify heroku okta keycloak sentry datadog grafana prometheus loki jaeger python java
    javascript typescript kotlin swift rust golang ruby php scala elixir erlang haskell clojure perl bash powershell
    jest vitest mocha cypress playwright selenium storybook webpack vite rollup esbuild babel eslint prettier tailwind
    bootstrap sass graphql rest grpc oauth saml sso ldap english german french spanish italian portuguese dutch polish
    russian chinese japanese korean arabic hindi turkish europe brazil germany france figma notion linear zapier
    shopify salesforce hubspot unity unreal godot arduino excel word pdf csv json yaml xml html css sql monday tuesday
    wednesday thursday friday saturday sunday january february march july september october november december
    christmas easter black
`)
