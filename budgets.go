package main

import (
	"fmt"
	"strconv"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/budgets"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/organizations"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"llm-platform/internal/policy"
	"llm-platform/internal/scope"
	"llm-platform/internal/settings"
)

type BudgetArgs struct {
	Settings     settings.Budget
	Controls     policy.Guardrails
	Organization *Organization
	After        []pulumi.Resource // the kill switch policy, a change of the organization, waits for these
}

// newBudgets creates the accounts' monthly budgets, and the kill switch if the stack asks for one. They belong to
// the management account or, with organization.mode none, to each account itself.
func newBudgets(ctx *pulumi.Context, name string, s scope.Scope, args BudgetArgs) error {
	cfg, org := args.Settings, args.Organization
	if len(cfg.MonthlyUSD) == 0 {
		return nil
	}
	var providers []pulumi.ResourceOption
	if org.Management != nil {
		providers = append(providers, pulumi.Providers(org.Management.Provider))
	}
	component := &pulumi.ResourceState{}
	if err := ctx.RegisterComponentResource("llm:platform:Budgets", name, component, providers...); err != nil {
		return err
	}
	b := budgetBuilder{ctx: ctx, name: name, scope: s, cfg: cfg, org: org, component: component}
	var stop *killSwitch
	switch {
	case cfg.KillSwitch == settings.None:
	case org.Management == nil:
		if err := ctx.Log.Warn("kill switch: skipped because organization.mode is none; set budget.killSwitch to none to silence this warning", nil); err != nil {
			return err
		}
	default:
		var err error
		if stop, err = b.killSwitch(args.Controls, args.After); err != nil {
			return fmt.Errorf("kill switch: %w", err)
		}
	}
	for _, account := range org.Accounts {
		if _, ok := cfg.MonthlyUSD[account.Name]; !ok {
			continue
		}
		budget, err := b.budget(account)
		if err != nil {
			return fmt.Errorf("account %s: %w", account.Name, err)
		}
		if stop != nil {
			if err := b.action(account, budget, *stop); err != nil {
				return fmt.Errorf("account %s: kill switch: %w", account.Name, err)
			}
			if err := b.rescue(account, args.Controls); err != nil {
				return fmt.Errorf("account %s: rescue %w", account.Name, err)
			}
		}
	}
	return ctx.RegisterResourceOutputs(component, pulumi.Map{})
}

type budgetBuilder struct {
	ctx       *pulumi.Context
	name      string
	scope     scope.Scope
	cfg       settings.Budget
	org       *Organization
	component pulumi.Resource
}

// budget creates an account's budget. It does not count credits and refunds: what they pay for is used all the
// same, and they run out.
func (b budgetBuilder) budget(account scope.Account) (*budgets.Budget, error) {
	args := &budgets.BudgetArgs{
		BudgetType:    pulumi.String("COST"),
		TimeUnit:      pulumi.String("MONTHLY"),
		LimitAmount:   pulumi.String(strconv.Itoa(b.cfg.MonthlyUSD[account.Name])),
		LimitUnit:     pulumi.String("USD"),
		CostTypes:     budgets.BudgetCostTypesArgs{IncludeCredit: pulumi.Bool(false), IncludeRefund: pulumi.Bool(false)},
		Notifications: b.notifications(),
	}
	opts := []pulumi.ResourceOption{pulumi.Parent(b.component)}
	if b.org.Management == nil {
		opts = append(opts, pulumi.Provider(account.Provider))
	} else {
		args.CostFilters = budgets.BudgetCostFilterArray{budgets.BudgetCostFilterArgs{
			Name:   pulumi.String("LinkedAccount"),
			Values: pulumi.StringArray{account.ID},
		}}
	}
	return budgets.NewBudget(b.ctx, b.name+"-"+account.Name, args, opts...)
}

func (b budgetBuilder) notifications() budgets.BudgetNotificationArray {
	var all budgets.BudgetNotificationArray
	for _, group := range []struct {
		kind     string
		percents []int
	}{{"ACTUAL", b.cfg.ActualPercents}, {"FORECASTED", b.cfg.ForecastPercents}} {
		for _, percent := range group.percents {
			notification := budgets.BudgetNotificationArgs{
				ComparisonOperator: pulumi.String("GREATER_THAN"),
				NotificationType:   pulumi.String(group.kind),
				Threshold:          pulumi.Float64(percent),
				ThresholdType:      pulumi.String("PERCENTAGE"),
			}
			if len(b.cfg.Emails) > 0 {
				notification.SubscriberEmailAddresses = pulumi.ToStringArray(b.cfg.Emails)
			}
			if topic := b.cfg.SNSTopicARN; topic != "" {
				notification.SubscriberSnsTopicArns = pulumi.ToStringArray([]string{topic})
			}
			all = append(all, notification)
		}
	}
	return all
}

// killSwitch is the policy that stops new accelerated instances, attached to nothing until a budget is spent, and
// the role with which AWS Budgets attaches it.
type killSwitch struct {
	policy *organizations.Policy
	role   scope.Role
}

func (b budgetBuilder) killSwitch(controls policy.Guardrails, after []pulumi.Resource) (*killSwitch, error) {
	content, err := controls.KillSwitch().JSON()
	if err != nil {
		return nil, err
	}
	stop, err := newControlPolicy(b.ctx, b.name+"-killswitch", "Kill switch of "+b.scope.Project+" "+b.scope.Stack+": denies launching accelerated instances, purchases and growth",
		pulumi.String(content), pulumi.Parent(b.component), pulumi.DependsOn(after))
	if err != nil {
		return nil, fmt.Errorf("policy: %w", err)
	}
	management := b.org.Management.ID
	ids := pulumi.StringArray{}
	for _, account := range b.org.Accounts {
		if _, ok := b.cfg.MonthlyUSD[account.Name]; ok {
			ids = append(ids, account.ID)
		}
	}
	role, err := b.scope.NewRole(b.ctx, b.name+"-role", scope.RoleArgs{
		Description: "AWS Budgets uses this role to stop new accelerated instances",
		Account:     management,
		Trust:       scope.Document(management, func(id string) policy.Document { return policy.BudgetsTrust(b.scope.Partition, id) }),
		Permissions: pulumi.All(management, stop.Arn, ids.ToStringArrayOutput()).ApplyT(func(args []any) (string, error) {
			return policy.KillSwitchRole(b.scope.Partition, args[0].(string), args[1].(string), args[2].([]string)).JSON()
		}).(pulumi.StringOutput),
		Parent: b.component,
	})
	return &killSwitch{policy: stop, role: role}, err
}

// action makes AWS Budgets attach the kill switch to an account whose budget is spent.
func (b budgetBuilder) action(account scope.Account, budget *budgets.Budget, stop killSwitch) error {
	model := "MANUAL"
	if b.cfg.KillSwitch == settings.Automatic {
		model = "AUTOMATIC"
	}
	var subscribers budgets.BudgetActionSubscriberArray
	for _, email := range b.cfg.Emails {
		subscribers = append(subscribers, budgets.BudgetActionSubscriberArgs{SubscriptionType: pulumi.String("EMAIL"), Address: pulumi.String(email)})
	}
	if topic := b.cfg.SNSTopicARN; topic != "" {
		subscribers = append(subscribers, budgets.BudgetActionSubscriberArgs{SubscriptionType: pulumi.String("SNS"), Address: pulumi.String(topic)})
	}
	_, err := budgets.NewBudgetAction(b.ctx, b.name+"-killswitch-"+account.Name, &budgets.BudgetActionArgs{
		BudgetName:       budget.Name,
		ActionType:       pulumi.String("APPLY_SCP_POLICY"),
		ApprovalModel:    pulumi.String(model),
		NotificationType: pulumi.String("ACTUAL"),
		ActionThreshold: budgets.BudgetActionActionThresholdArgs{
			ActionThresholdType:  pulumi.String("PERCENTAGE"),
			ActionThresholdValue: pulumi.Float64(b.cfg.KillSwitchPercent),
		},
		Definition: budgets.BudgetActionDefinitionArgs{
			ScpActionDefinition: budgets.BudgetActionDefinitionScpActionDefinitionArgs{
				PolicyId:  stop.policy.ID(),
				TargetIds: pulumi.StringArray{account.ID},
			},
		},
		ExecutionRoleArn: stop.role.Arn,
		Subscribers:      subscribers,
	}, pulumi.Parent(b.component), pulumi.DependsOn(stop.role.Ready))
	return err
}

// rescue creates the role that shrinks pools while the kill switch is attached to the account.
func (b budgetBuilder) rescue(account scope.Account, controls policy.Guardrails) error {
	partition := b.scope.Partition
	_, err := b.scope.NewRole(b.ctx, b.name+"-rescue-"+account.Name, scope.RoleArgs{
		Name:        controls.Rescue,
		Description: "Shrinks node pools and endpoints while the kill switch is attached",
		Account:     account.ID,
		Trust: scope.Document(account.ID, func(id string) policy.Document {
			return policy.PrincipalTrust([]string{policy.RoleARN(partition, id, controls.DeployRole)})
		}),
		Permissions: scope.Document(account.ID, func(id string) policy.Document { return policy.Rescue(partition, id) }),
		Parent:      b.component,
		Provider:    account.Provider,
	})
	return err
}
